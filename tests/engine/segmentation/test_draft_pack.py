"""What of a pack goes into a draft that extends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.segmentation.draft_pack import copy_references
from tests.fakes import make_pack


def test_references_whose_names_are_alike_are_all_copied(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "birds", references=3)
    names = ("a b", "a/b", "a-b")
    known = tuple(replace(reference, id=name) for reference, name in zip(pack.references, names, strict=True))
    copied = copy_references(replace(pack, references=known), tmp_path / "draft")
    assert [reference.id for reference in copied] == list(names)
    for before, after in zip(pack.references, copied, strict=True):
        for name in ("image", "thumbnail", "labels"):
            assert Path(getattr(after, name)).read_bytes() == Path(getattr(before, name)).read_bytes()
