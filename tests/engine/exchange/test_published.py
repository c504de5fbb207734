"""The checkpoints that the authors published: fetched, imported with their names, and given pictures of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.__main__ import main
from engine.collage.anatomy import measure_pack
from engine.core.errors import JobCancelled, UserError
from engine.core.image_files import read_label_map
from engine.core.vocabulary import ABSENT, Choice
from engine.exchange.import_checkpoint import import_checkpoint, import_published
from engine.exchange.original_checkpoint import read_foreign
from engine.hub.fetch import Fetching, fetch, offer
from engine.hub.pack_needs import what_is_lacking
from engine.hub.patience import Patience
from engine.hub.published import (
    PUBLISHED,
    checkpoint_folder,
    class_names,
    missing_models,
    published_at,
    published_pack,
)
from engine.models.loader import Models
from engine.models.part_tokens import load_tokens
from engine.packs.archive import write_archive
from engine.packs.library import PackLibrary
from engine.packs.pack import CODEBOOK, Pack
from engine.packs.stand_ins import codes_to_paint, is_stand_in
from engine.packs.validation import check_pack
from engine.rendering.reference_painting import paint_reference, whole_prompt
from engine.segmentation.draft_pack import copy_references
from engine.segmentation.segment import segment
from engine.training.examples import segmented_pictures
from engine.worker.jobs import ImportCheckpoint, News, PaintReference, Preview, Progress, Segment
from tests.conftest import REPOSITORY
from tests.engine.published_world import CODES, make_checkpoint, play_published
from tests.stand_in_hub import StandIn

BIRDS, DOGS = PUBLISHED


@pytest.fixture
def world(hub: StandIn) -> StandIn:
    play_published(hub)
    return hub


@pytest.fixture
def models(home: Path) -> Iterator[Models]:
    yield Models()


@pytest.fixture
def quick() -> Patience:
    return Patience(tries=2, first=0.001, longest=0.001, silence=5)


def fetch_all(*ids: str) -> None:
    for id in ids:
        fetch(offer(id, "main"))


@pytest.fixture
def birds(world: StandIn, home: Path) -> Pack:
    """The birds, imported, with everything they need."""
    fetch_all(*BIRDS.needs)
    return import_published(BIRDS)


def test_names_are_those_the_authors_give() -> None:
    names = class_names(BIRDS)
    assert len(names) == 200 and names[16] == "cardinal" and names[72] == "blue jay"
    assert len(class_names(DOGS)) == 120 and class_names(DOGS)[2] == "Maltese dog"
    where = {name: place for place, name in enumerate(BIRDS.parts) if name}
    assert where == {"body": 0, "tail": 1, "head": 2, "wing": 4, "leg": 6, "background": 7}
    where = {name: place for place, name in enumerate(DOGS.parts) if name}
    assert where == {"eye": 0, "background": 1, "neck": 2, "ear": 3, "body": 4, "leg": 5, "nose": 6, "forehead": 7}
    assert published_pack("Birds") is BIRDS and published_pack("120 dogs") is DOGS and published_pack("cats") is None
    for published in PUBLISHED:
        given = REPOSITORY.parent / "shared/published" / published.classes
        if given.is_file():
            assert [line.strip() for line in given.read_text().splitlines()] == list(class_names(published))


def test_published_folders_are_known_by_their_names(tmp_path: Path) -> None:
    assert published_at(tmp_path / "dreamcreature-sd1.5-cub200" / "checkpoint-1") is BIRDS
    assert published_at(tmp_path / "dreamcreature-sd1.5-dogs") is DOGS
    assert published_at(tmp_path / "checkpoint-150000") is DOGS and published_at(tmp_path / "checkpoint-20") is None


def test_what_is_missing_is_fetched_and_imported(
    world: StandIn, home: Path, capsys: pytest.CaptureFixture[str], quick: Patience
) -> None:
    """With a cut on the way: the same command goes on."""
    assert missing_models(BIRDS) == BIRDS.needs
    asked = offer(BIRDS.id, "main", quick)
    assert [file.path.rpartition("/")[2] for file in asked.files] == ["pytorch_model.bin", "pytorch_model_1.bin"]
    assert {file.path.rpartition("/")[0] for file in asked.files} == {"checkpoint-74900"}
    world.drip = 0.05

    def pull_the_plug(far: Fetching) -> None:
        if far.done > 10_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(asked, pull_the_plug, quick, tick=0.01)
    assert checkpoint_folder(BIRDS) is None, "half of it is none of it"
    world.drip = 0
    before = len(world.fetched)
    fetch(offer(BIRDS.id, "main", quick), patience=quick)
    assert any("bytes=" in line for line in world.fetched[before:])
    assert missing_models(BIRDS) == BIRDS.needs[1:]
    fetch_all(*BIRDS.needs[1:])
    assert missing_models(BIRDS) == () and missing_models(DOGS) == (DOGS.id,)
    assert main(["packs", "import-published", "birds", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["title"] == "200 birds" and said["codes_per_part"] == 200 and said["base_model"] == BIRDS.base_models[0]
    assert main(["packs", "import-published", "200 birds", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == said["path"], "once is enough"


def test_one_command_gets_everything(world: StandIn, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packs", "import-published", "dogs", "--dry-run"]) == 0
    told = capsys.readouterr().err
    assert DOGS.id in told and "licence: none is named" in told and not world.fetched
    assert main(["packs", "import-published", "dogs", "--json"]) == 0
    pack = Pack.open(json.loads(capsys.readouterr().out)["path"])
    assert pack.title == "120 dogs" and pack.vocabulary.noun == "dog"
    assert pack.vocabulary.code_name(2, 2) == "Maltese dog"
    assert main(["packs", "import-published", "cats"]) == 1
    assert "There are: birds (200 birds), dogs (120 dogs)." in capsys.readouterr().err
    assert main(["models", "list"]) == 0
    assert "dogs  120 dogs, 12 MB, no licence stated  kamwoh/dreamcreature-sd1.5-dog  here as the pack" in (
        capsys.readouterr().out
    )


def test_a_disk_that_does_not_hold_all_of_it_is_told_before_anything_comes(
    world: StandIn, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.claims = 10**15
    assert main(["packs", "import-published", "birds"]) == 1
    told = capsys.readouterr().err
    assert "200 birds needs" in told and "more of disk" in told and not world.fetched


def test_the_pack_is_an_ordinary_one(birds: Pack, tmp_path: Path) -> None:
    check_pack(birds, thorough=True)
    words = birds.vocabulary
    assert [part.name for part in words.visible_parts] == ["body", "tail", "head", "part 4", "wing", "part 6", "leg"]
    assert words.codes_per_part == 200 < CODES and words.code_name(4, 72) == "blue jay"
    assert words.find_code(2, "Cardinal") == 16
    assert birds.kinds is not None and len(birds.kinds) == 200 and birds.kinds["cardinal"] == 16, "codes are classes"
    tokens = load_tokens(birds.path / "tokens.safetensors").tensors()["text_encoder.raw"]
    mapper = read_foreign(checkpoint_folder(BIRDS) / "pytorch_model_1.bin")  # type: ignore[operator]
    assert torch.equal(tokens, mapper["embedding.weight"].view(8, CODES + 1, -1)[:, :200])
    assert birds.blind and not (birds.path / CODEBOOK).exists()
    assert birds.extra["source"] == {"id": BIRDS.id, "revision": "a" * 40}
    lacking = " ".join(what_is_lacking(birds))
    assert "200 of its 200 reference pictures are drawn stand-ins" in lacking and "not on this computer" not in lacking
    file = write_archive(birds, tmp_path / "birds.partpack")
    again = PackLibrary(own=tmp_path / "other").import_pack(file)
    assert again.blind and again.vocabulary == words


def test_stand_ins_are_there_until_pictures_are(birds: Pack) -> None:
    assert [reference.title for reference in birds.references] == list(class_names(BIRDS))
    assert all(is_stand_in(reference) for reference in birds.references) and codes_to_paint(birds) == tuple(range(200))
    cardinal = birds.references[16]
    assert cardinal.codes == (16, 16, 16, 16, 16, 16, 16, ABSENT)
    labels = read_label_map(cardinal.labels)
    shown = {part.index for part in birds.vocabulary.visible_parts}
    assert set(np.unique(labels).tolist()) == {*shown, 255}, "every part can be picked, and none else"
    with Image.open(cardinal.image) as picture:
        assert picture.size == labels.shape[::-1] and len(picture.getcolors(1 << 20) or ()) > 14


def test_a_blind_pack_says_why_it_sees_no_parts(birds: Pack, models: Models) -> None:
    job = Segment(str(birds.path), birds.references[0].image)
    with pytest.raises(UserError, match="cannot find parts in pictures yet") as told:
        segment(models, job, lambda news: None)
    assert "pictures it paints" in told.value.hint


def narrow(pack: Pack, count: int) -> Pack:
    """A pack that has only so many references to paint."""
    replace(pack, references=pack.references[:count]).save()
    return Pack.open(pack.path)


def test_pictures_are_painted_cut_and_added(birds: Pack, models: Models) -> None:
    pack = narrow(birds, 3)
    news: list[News] = []
    assert paint_reference(models, PaintReference(str(pack.path), 1), news.append) == str(pack.path)
    assert any(isinstance(one, Preview) for one in news)
    stages = [one.stage for one in news if isinstance(one, Progress)]
    assert stages[0] == "Getting ready" and stages[-1] == "Finding its parts" and "Painting" in stages
    once = Pack.open(pack.path)
    check_pack(once, thorough=True)
    assert codes_to_paint(once) == (0, 2) and [one.id for one in once.references] == [one.id for one in pack.references]
    painted = once.references[1]
    assert painted.title == "laysan albatross" and set(painted.codes) <= {1, ABSENT} and max(painted.codes) == 1
    labels = read_label_map(painted.labels)
    for part, code in enumerate(painted.codes):
        assert (code == 1) == bool((labels == part).any()) or part == BIRDS.background
        assert (once.path / f"thumbnails/codes/{part}-1.png").is_file() == (code == 1)
    before = Path(painted.image).read_bytes()
    paint_reference(models, PaintReference(str(pack.path), 1), news.append)
    assert Path(painted.image).read_bytes() == before, "what is painted stays"
    for code in codes_to_paint(once):
        paint_reference(models, PaintReference(str(pack.path), code), news.append)
    whole = Pack.open(pack.path)
    check_pack(whole, thorough=True)
    assert codes_to_paint(whole) == () and not whole.blind, "the eyes have learned what its parts look like"
    assert news[-1] == Progress("Cutting all pictures once more", 2, 3)
    assert all(Path(one.labels).name.startswith("cut-") for one in whole.references)
    codebook = whole.codebook()
    assert codebook.parts.any(axis=1).sum() > 1 and not codebook.tells_codes, "classes are not told from a picture"
    found = segment(models, Segment(str(whole.path), whole.references[0].image), lambda news: None)
    assert len(np.unique(found.segmentation.labels)) > 1


def test_painting_stops_where_it_is_told_to_and_goes_on(birds: Pack, models: Models) -> None:
    pack = narrow(birds, 2)

    def stop(news: News) -> None:
        if isinstance(news, Progress) and news.stage == "Painting" and news.done == 3:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        paint_reference(models, PaintReference(str(pack.path), 0), stop)
    assert Pack.open(pack.path) == pack, "nothing is half there"
    paint_reference(models, PaintReference(str(pack.path), 0), lambda news: None)
    assert codes_to_paint(Pack.open(pack.path)) == (1,)


def test_without_eyes_the_painting_itself_tells_the_parts(world: StandIn, home: Path, models: Models) -> None:
    fetch_all(*BIRDS.needs[:2])
    pack = narrow(import_published(BIRDS), 2)
    assert any("eyes are not on this computer" in one for one in what_is_lacking(pack))
    paint_reference(models, PaintReference(str(pack.path), 0), lambda news: None)
    first = Pack.open(pack.path)
    assert first.blind and codes_to_paint(first) == (1,) and max(first.references[0].codes) == 0
    fetch_all(BIRDS.eyes)  # the eyes come later: they learn from what was painted before, too
    paint_reference(models, PaintReference(str(pack.path), 1), lambda news: None)
    whole = Pack.open(pack.path)
    assert not whole.blind and codes_to_paint(whole) == ()
    check_pack(whole, thorough=True)


def test_a_picture_shows_one_code_with_all_its_parts(birds: Pack) -> None:
    prompt = whole_prompt(birds.vocabulary, 16)
    assert [piece for piece in prompt if isinstance(piece, Choice)] == [Choice(part, 16) for part in range(8)]
    assert prompt[0] == "a photo of a " and prompt[-1] == "bird"


def test_a_command_paints_and_goes_on(birds: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    narrow(birds, 3)
    assert main(["packs", "paint", birds.id, "--count", "1"]) == 0
    told = capsys.readouterr()
    assert "1 picture was painted; 2 are left." in told.out and "1 of 1: black footed albatross" in told.err


def test_a_checkpoint_of_somebody_else_has_no_names(world: StandIn, home: Path, models: Models, tmp_path: Path) -> None:
    fetch_all(BIRDS.base_models[0])
    base = home / "models" / BIRDS.base_models[0]
    place = make_checkpoint(tmp_path / "mine" / "checkpoint-30", base, codes=5)
    make_checkpoint(tmp_path / "mine" / "checkpoint-4", base, codes=7)
    folder = import_checkpoint(models, ImportCheckpoint(str(tmp_path / "mine"), title="Mine"), lambda news: None)
    pack = Pack.open(folder)
    assert pack.title == "Mine" and pack.vocabulary.codes_per_part == 5, "the newest"
    assert [reference.title for reference in pack.references] == ["0", "1", "2", "3", "4"]
    assert pack.base_model.id == BIRDS.base_models[0] and place.is_dir()
    with pytest.raises(UserError, match="no checkpoint of the original"):
        import_checkpoint(models, ImportCheckpoint(str(home)), lambda news: None)


def test_nothing_is_learned_from_stand_ins(birds: Pack, models: Models, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="drawn stand-ins") as told:
        list(segmented_pictures(models, birds, "", lambda news: None))
    assert f"packs paint {birds.id}" in told.value.hint
    pack = narrow(birds, 3)
    for code in (0, 1):
        paint_reference(models, PaintReference(str(pack.path), code), lambda news: None)
    pack = Pack.open(pack.path)
    assert len(list(segmented_pictures(models, pack, "", lambda news: None))) == 2
    assert [one.id for one in copy_references(pack, tmp_path)] == [one.id for one in pack.references[:2]]
    both, painted = measure_pack(pack), measure_pack(replace(pack, references=pack.references[:2]))
    assert both.parents == painted.parents and both.order == painted.order, "tiles say nothing of a bird"
    assert set(both.references) == {one.id for one in pack.references} == set(both.facings)
