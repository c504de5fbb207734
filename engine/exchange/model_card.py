"""The model card of a pack given to other programs: what is in the folder, its words, and how each program takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from engine.exchange.pack_sheets import SHEETS
from engine.exchange.textual_inversion import Word
from engine.packs.pack import Pack

CARD: Final = "README.md"
_HUB_ID: Final = re.compile(r"(?!starter/)[\w.-]+/[\w.-]+")


def model_card(pack: Pack, words: Sequence[Word], loras: Sequence[str], sdxl: bool, sheets: Sequence[str] = ()) -> str:
    """The card as Markdown, with the fields that the Hugging Face hub reads at its head.

    ``loras`` are the names of the LoRA's files, peft's form first; none for a pack without. ``sheets`` are the names of
    the pictures in ``sheets``. The example in Python is tried by the tests as it is."""
    base = pack.base_model.name
    fields = {
        "library_name": "diffusers",
        "tags": ["text-to-image", "textual_inversion", *(["lora"] if loras else []), "partcraft"],
        **({"base_model": base} if _HUB_ID.fullmatch(base) else {}),
        **({"license": "other", "license_name": pack.licence} if pack.licence else {}),
    }
    head = "\n".join(f"{name}: {json.dumps(value)}" for name, value in fields.items())
    kohya = f"`{loras[1]}` into your program's folder of LoRAs, " if loras else ""
    example = f"a photo of a {{}} {pack.vocabulary.noun}"
    shown = _example_words(words)
    tables = "\n".join(
        f"- {part.name}: {', '.join(f'`{word.text}`' for word in words if word.part == part.index)}"
        for part in pack.vocabulary.visible_parts
    )
    pictures = "\n".join(f"![{_line(name.removesuffix('.png'))}]({SHEETS}/{quote(name)})" for name in sheets)
    return f"""---
{head}
---

# {_line(pack.title)}

Parts as words, from a PartCraft pack for {base}. Licence: {_line(pack.licence) or "not said"}.

Put {kohya}the files of `embeddings` into {"its" if loras else "your program's"} folder of embeddings, and write

- A1111 and its kin: `{example.format(" ".join(word.text for word in shown))}`{_with_lora(loras)}
- ComfyUI: `{example.format(" ".join(f"embedding:{word.text}" for word in shown))}`
- InvokeAI: `{example.format(" ".join(f"<{word.text}>" for word in shown))}`

With diffusers{", which takes the other file," if loras else ","} from this folder:

```python
{_example(pack, shown, loras, sdxl, example.format(" ".join(f"<{word.text}>" for word in shown)))}
```

## Words

{tables}
""" + (f"\n## Pictures\n\n{pictures}\n" if sheets else "")


def _example(pack: Pack, shown: Sequence[Word], loras: Sequence[str], sdxl: bool, prompt: str) -> str:
    unet = pack.base_model.unet
    classes = ["DiffusionPipeline", *([] if pack.base_model.distilled else ["DPMSolverMultistepScheduler"])]
    classes += ["UNet2DConditionModel"] if unet else []
    more = f', unet=UNet2DConditionModel.from_pretrained("{unet}")' if unet else ""
    lines = ["import torch", f"from diffusers import {', '.join(sorted(classes))}"]
    if sdxl:
        lines += ["from safetensors.torch import load_file", "from transformers import CLIPTextModelWithProjection"]
        lines += ["from transformers import CLIPTokenizer"]
    lines += [
        "",
        f"base = {json.dumps(pack.base_model.name)}",
        'folder = "."',
        f"words = {json.dumps([w.text for w in shown])}",
    ]
    if sdxl:
        more += ", text_encoder_2=second"
        lines += [
            "",
            "# SDXL's config says a wrong end token, and the sentence would be summed up at the last new word.",
            'end = CLIPTokenizer.from_pretrained(base, subfolder="tokenizer_2").eos_token_id',
            "second = CLIPTextModelWithProjection.from_pretrained(",
            '    base, subfolder="text_encoder_2", eos_token_id=end',
            ")",
        ]
    lines += [f"pipeline = DiffusionPipeline.from_pretrained(base{more})"]
    if not pack.base_model.distilled:
        lines += ["pipeline.scheduler = DPMSolverMultistepScheduler.from_config("]
        lines += ['    pipeline.scheduler.config, algorithm_type="dpmsolver++", final_sigmas_type="zero"', ")"]
    if loras:
        lines += [f"pipeline.load_lora_weights(folder, weight_name={json.dumps(loras[0])})"]
    lines += ["for word in words:"]
    if sdxl:
        lines += ['    vectors = load_file(f"{folder}/embeddings/{word}.safetensors")']
        for key, suffix in (("clip_l", ""), ("clip_g", "_2")):
            place = f"text_encoder=pipeline.text_encoder{suffix}, tokenizer=pipeline.tokenizer{suffix}"
            lines += ["    pipeline.load_textual_inversion("]
            lines += [f'        vectors["{key}"], token=f"<{{word}}>", {place}', "    )"]
    else:
        lines += ["    pipeline.load_textual_inversion("]
        lines += ['        f"{folder}/embeddings/{word}.safetensors", token=f"<{word}>"', "    )"]
    recipe = pack.new_recipe()
    lines += [
        "",
        "picture = pipeline(",
        f"    {json.dumps(prompt, ensure_ascii=False)},",
        f"    num_inference_steps={recipe.steps}, guidance_scale={recipe.guidance:g},",
        '    generator=torch.Generator("cpu").manual_seed(0),',
        ").images[0]",
    ]
    return "\n".join(lines)


def _example_words(words: Sequence[Word]) -> list[Word]:
    """One word of each of the first two parts."""
    first = {word.part: word for word in reversed(words)}
    return list(reversed(first.values()))[:2]


def _with_lora(loras: Sequence[str]) -> str:
    return f", with `<lora:{loras[1].removesuffix('.safetensors')}:1>`" if loras else ""


def _line(text: str) -> str:
    return " ".join(text.split())
