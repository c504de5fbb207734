"""Text that is no Unicode: what Latin-1 file names and half an emoji are to Python."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from engine.core.json_values import json_bytes, read_document
from engine.core.unicode_text import unicode_text

TEXTS: Final = st.text(st.characters() | st.sampled_from('\ud83d\ude00\udce9\\"'), max_size=12)
"""Texts with halves of surrogate pairs among all others."""


def joined(text: str) -> str:
    """A text whose whole pairs are one character, as every reader of JSON has them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(TEXTS)
def test_any_text_becomes_unicode(text: str) -> None:
    shown = unicode_text(text)
    assert shown.encode("utf-8").decode() == shown
    if not any("\ud800" <= character <= "\udfff" for character in joined(text)):
        assert shown == joined(text)


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_of_any_text_is_utf_8_and_reads_back(document: Any) -> None:
    expected = json.loads(json.dumps(document))  # all escaped: what any other writer of JSON would keep
    for indent in (None, 1):
        assert read_document(json_bytes(document, indent).decode("utf-8")) == expected
