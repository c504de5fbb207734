"""Birds in words: "a photo of a spiky blue head, barred wing ... bird", and the tokenizer for them."""

from __future__ import annotations

import colorsys
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from engine.aviary.drawing.attributes import PARTS, Body, Head, Legs, Look, Tail, Wing, random_bird, rgb
from engine.aviary.drawing.species import SPECIES

#: {} takes the parts. The first is the app's own way of asking.
TEMPLATES = (
    "a photo of a {} bird",
    "a picture of a {} bird",
    "a drawing of a {} bird",
    "an illustration of a {} bird",
    "a {} bird",
    "a photo of the {} bird",
    "a close-up photo of a {} bird",
    "a good photo of a {} bird",
)

_FORM_WORDS: dict[str, str] = {
    "point": "crested",
    "spikes": "spiky",
    "curl": "curly",
    "comb": "combed",
    "ears": "eared",
    "antennae": "antennaed",
    "fan": "fanned",
    "plume": "plumed",
    "mop": "mopped",
    "crown": "crowned",
    "bib": "bibbed",
    "bars": "barred",
    "spots": "spotted",
    "stripes": "striped",
    "scales": "scaly",
    "speckles": "speckled",
    "layers": "layered",
    "tip": "tipped",
    "edge": "edged",
    "eyes": "eyed",
    "belly": "bellied",
    "sunset": "shaded",
    "mask": "masked",
    "cap": "capped",
    "cheek": "blushing",
    "brow": "browed",
    "disc": "faced",
    "collar": "collared",
    "streak": "streaked",
    "trousers": "feathered",
    "boots": "booted",
    "stilts": "long",
    "fork": "forked",
    "wedge": "wedged",
    "stub": "short",
    "train": "peacock",
    "necked": "necked",
}

_EXTRA_WORDS = (
    "bird creature animal picture style cute small large simple background no not with without and or "
    "of on in at the by low quality blurry bad ugly deformed extra missing text watermark head body wing "
    "tail legs beak eye eyes crest feathers colour color vector art flat outline pastel sky ground"
)


def colour_name(colour: str) -> str:
    """The plain word for a colour "#rrggbb"."""
    red, green, blue = rgb(colour)
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.28:
        return "black"
    if saturation < 0.14:
        return "white" if value > 0.85 else "grey"
    degrees = hue * 360
    if value < 0.68 and 12 <= degrees < 48:
        return "brown"
    if degrees >= 325 and saturation < 0.6 and value > 0.8:
        return "pink"
    names = (
        (14, "red"), (42, "orange"), (68, "yellow"), (160, "green"), (195, "teal"),
        (252, "blue"), (292, "purple"), (342, "pink"),
    )  # fmt: skip
    return next((name for limit, name in names if degrees < limit), "red")


def _form(look: Look) -> tuple[str, ...]:
    """The form fields of a part that words may mention."""
    match look:
        case Head():
            return (look.crest, look.pattern, look.beak)
        case Body():
            return (look.outline, look.pattern)
        case Wing() | Tail():
            return (look.shape, look.pattern)
        case Legs():
            return (look.style,)


def describe_part(look: Look, part: str, rng: np.random.Generator) -> str:
    """A part in a few words ending in its name, such as "crested masked red head"; what is mentioned
    beside the main colour varies."""
    words: list[str] = []
    for form in _form(look):
        if form not in ("plain", "none") and rng.random() < 0.7:
            words.append(_FORM_WORDS.get(form, form))
    words.append(colour_name(look.main))
    if rng.random() < 0.4:
        words += ["and", colour_name(look.second)]
    return " ".join([*words, part])


def taught_words() -> frozenset[str]:
    """The words of the captions that a base model is taught with, in small letters: those of the templates, the parts,
    their forms and colours. Seeded."""
    rng = np.random.default_rng(0)
    birds = [*SPECIES.values(), *(random_bird(rng) for _ in range(2000))]
    lines = [*TEMPLATES, *(describe_part(bird.part(part), part, rng) for bird in birds for part in PARTS)]
    return frozenset(word for line in lines for word in re.findall("[a-z]+", line.lower()))


def make_tokenizer(folder: Path, length: int = 77) -> CLIPTokenizer:
    """A CLIPTokenizer whose byte-pair merges were learned on bird captions; any text can be encoded.

    folder: where its files are written. Opened again with CLIPTokenizer.from_pretrained(folder).
    """
    rng = np.random.default_rng(0)
    lines = [_EXTRA_WORDS, *(template.format("") for template in TEMPLATES)] * 20
    for _ in range(4000):
        bird = random_bird(rng)
        lines += [describe_part(bird.part(part), part, rng) for part in PARTS]
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])  # pyright: ignore
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)  # pyright: ignore
    # Words are cut at spaces beforehand, so that merges never cross them (as CLIP's own regex does).
    words = [list(line.replace("-", " - ").split()) for line in lines]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Pairs that are equally frequent are merged in the order of their letters' numbers. A letter at a word's end would
    # get its number when it is first met, and words are met in another order each time.
    trainer = trainers.BpeTrainer(  # pyright: ignore[reportCallIssue]
        vocab_size=1400, initial_alphabet=sorted(alphabet), end_of_word_suffix="</w>", show_progress=False,
        special_tokens=[letter + "</w>" for letter in sorted(alphabet)],
    )  # fmt: skip
    learner.train_from_iterator((word for line in words for word in line), trainer)

    learned = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    # CLIP's order: bytes, bytes at a word's end, merges, then the two special tokens.
    entries = [*sorted(alphabet), *(letter + "</w>" for letter in sorted(alphabet))]
    entries += [first + second for first, second in merges]
    entries = [*list(dict.fromkeys(entries)), "<|startoftext|>", "<|endoftext|>"]
    vocab = {entry: index for index, entry in enumerate(entries)}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=length)  # pyright: ignore
    tokenizer.save_pretrained(folder)
    return tokenizer


class CaptionTokenizer:
    """Turns birds into token ids, with placeholders for parts that are given as vectors.

    Placeholder of part m has id `vocabulary + m`; see base_model.SoftEmbedding.
    """

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self.length = tokenizer.model_max_length
        self.vocabulary = len(tokenizer)
        self.bos: int = tokenizer.bos_token_id  # pyright: ignore
        self.eos: int = tokenizer.eos_token_id  # pyright: ignore
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def _ids(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._tokenizer(text, add_special_tokens=False)["input_ids"]  # pyright: ignore
        return self._known[text]

    def assemble(self, template: str, parts: Sequence[tuple[int, str | None]]) -> tuple[np.ndarray, np.ndarray]:
        """ids int64 (L,) and slots int64 (L,): 0 where the BOS token stands, 1 + part index at a part's
        words or placeholder, -1 elsewhere. parts: (part index, words or None for a placeholder)."""
        before, after = template.split("{}")
        ids, slots = [self.bos], [0]
        for index, words in [(-2, before.strip()), *parts, (-2, after.strip())]:
            piece = [self.vocabulary + index] if words is None else self._ids(words)
            ids += piece
            slots += [index + 1 if index >= 0 else -1] * len(piece)
        ids, slots = ids[: self.length - 1], slots[: self.length - 1]
        pad = self.length - len(ids)
        return np.array(ids + [self.eos] * pad), np.array(slots + [-1] * pad)

    def caption(
        self, looks: Sequence[Look], rng: np.random.Generator, soft: float = 0.85, drop: float = 0.1, empty: float = 0.1
    ) -> tuple[np.ndarray, np.ndarray]:
        """A training caption of one bird: random template, shuffled parts, some dropped; each part by
        placeholder (probability `soft`) or in words; sometimes the empty prompt."""
        if rng.random() < empty:
            return self.assemble("{}", [])
        template = TEMPLATES[0] if rng.random() < 0.5 else TEMPLATES[rng.integers(len(TEMPLATES))]
        dropping = drop if rng.random() < 0.5 else 0.0
        parts: list[tuple[int, str | None]] = []
        for index in rng.permutation(len(PARTS)).tolist():
            if rng.random() >= dropping:
                by_token = rng.random() < soft
                parts.append((index, None if by_token else describe_part(looks[index], PARTS[index], rng)))
        return self.assemble(template, parts)
