"""Resemblance in words, and as a pack keeps it."""

from __future__ import annotations

import json

import pytest

from engine.core.resemblance import LINE, Resemblance


def test_the_line_decides_what_is_said_and_what_to_do() -> None:
    good, bad = Resemblance(LINE, "starter/base"), Resemblance(0.21, "starter/base")
    assert good.resembles and good.advice == "" and good.words.endswith("the renders resemble the pictures")
    assert (
        not bad.resembles
        and bad.words == "0.21 where likeness begins at 0.85: the renders do not resemble the pictures"
    )
    assert bad.advice == ("The renders do not resemble your pictures: mix collages now, or learn on Stable Diffusion.")
    assert Resemblance(0.21, "runwayml/stable-diffusion-v1-5").advice.endswith("or learn longer.")


def test_a_pack_keeps_it() -> None:
    measured = Resemblance(0.375, "starter/base")
    assert Resemblance.from_metrics(json.loads(json.dumps(measured.to_metrics())), "starter/base") == measured
    assert measured.to_document() == {"share": 0.375, "resembles": False}
    assert Resemblance.from_metrics({"match_rate": 0.5}) is None, "packs of earlier versions do not say"


@pytest.mark.parametrize("value", [None, True, "0.5", float("nan"), float("inf"), 10**400, -0.1, 1.1, [], {}])
def test_what_is_no_share_is_not_known(value: object) -> None:
    assert Resemblance.from_metrics({"resemblance": value}) is None
