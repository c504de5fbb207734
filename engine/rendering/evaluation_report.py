"""The report of an evaluation as one page that needs nothing else: figures, plots as inline SVG, pictures within."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from engine.core.image_files import open_picture
from engine.core.recipe import Receipt
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import ABSENT, Vocabulary
from engine.packs.pack import Pack
from engine.worker.evaluated import Evaluated, Interval, Judgement, Scores

_SIDE: Final = 192
"""Pixels of a picture in the page, at most."""
_SHOWN: Final = 32
"""Pictures of each number of sources in the page, at most; all are in the folder."""


@dataclass(frozen=True)
class ReportPicture:
    """One picture of an evaluation: its file, how many references it mixes, its seed and prompt, and what each judge
    (by name) saw, the one that counts first."""

    path: Path
    sources: int
    seed: int
    prompt: str
    verdicts: tuple[tuple[str, Receipt], ...]
    vocabulary: Vocabulary

    @property
    def document(self) -> dict[str, Any]:
        """JSON values: what was asked for and seen, in names."""
        words = self.vocabulary
        return {
            "file": f"{self.path.parent.name}/{self.path.name}",
            "sources": self.sources,
            "seed": self.seed,
            "prompt": self.prompt,
            "seen": {
                judge: [
                    {
                        "part": words.parts[arrival.part].name,
                        "code": words.code_name(arrival.part, arrival.code),
                        "found": words.code_name(arrival.part, arrival.found),
                        "arrived": arrival.arrived,
                        "unsure": arrival.unsure,
                    }
                    for arrival in receipt
                ]
                for judge, receipt in self.verdicts
            },
        }


def report_page(pack: Pack, result: Evaluated, pictures: Sequence[ReportPicture]) -> str:
    """The page: HTML in one file, without scripts or anything from outside. Raises :class:`UserError` if a picture
    cannot be read."""
    body = "\n".join([*_head(pack, result), *_judgements(pack, result), *_sheets(pictures), _PROTOCOL])
    title = escape(f"Evaluation of {pack.title}")
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )
    return unicode_text(page)


def _head(pack: Pack, result: Evaluated) -> Iterator[str]:
    scores, first = result.scores, result.judgements[0]
    mixes = _listed([str(mix) for mix in result.mixes])
    yield f"<h1>{escape(pack.title)}: what arrives</h1>"
    yield (
        f"<p>{result.count} pictures that mix {mixes} reference{'' if result.mixes == (1,) else 's'} each, "
        f"{result.steps} steps, guidance {result.guidance:g}, seed {result.seed}; base model "
        f"{escape(pack.base_model.id)}. Judged by <b>{escape(first.judge)}</b>"
        + ("".join(f", and beside it by {escape(other.judge)}" for other in result.judgements[1:]))
        + ". Intervals are 95%, over pictures.</p>"
    )
    tiles = [
        ("Match rate (EMR)", scores.emr, scores.emr_interval, f"guessing gives {scores.chance:.2f}"),
        ("CoSim", scores.cosim, scores.cosim_interval, f"other requests give {scores.floor_cosim:.2f}"),
        ("All parts right", scores.whole, scores.whole_interval, f"of {scores.pictures} pictures"),
    ]
    yield '<div class="tiles">'
    for name, value, interval, note in tiles:
        yield f"<div><span>{name}</span><strong>{value:.3f}</strong><span>{_brackets(interval)}<br>{note}</span></div>"
    yield "</div>"
    yield f"<p>{escape(scores.match_rate.words)}.</p>"


def _judgements(pack: Pack, result: Evaluated) -> Iterator[str]:
    for judgement in result.judgements:
        yield f"<h2>As seen by {escape(judgement.judge)}</h2>"
        yield '<div class="plots">'
        yield _plot_sources(judgement)
        yield _plot_parts(pack, judgement.scores)
        yield "</div>"
        yield from _table(judgement)


def _table(judgement: Judgement) -> Iterator[str]:
    names = list(judgement.scores.parts)
    heads = ["", "pictures", "EMR", "95%", "chance", "floor", "CoSim", "95%", "all right", *names]
    label = escape(f"Figures as seen by {judgement.judge}")
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table><thead><tr>'
    yield "".join(f"<th>{escape(name)}</th>" for name in heads)
    yield "</tr></thead><tbody>"
    rows = [("all renders", judgement.scores)]
    rows += [(f"{mix} source{'' if mix == 1 else 's'}", scores) for mix, scores in judgement.sources.items()]
    rows += [(f"ceiling: {name}", scores) for name, scores in judgement.ceilings.items()]
    for name, scores in rows:
        cells = [
            str(scores.pictures), f"{scores.emr:.3f}", _brackets(scores.emr_interval), f"{scores.chance:.3f}",
            f"{scores.floor:.3f}", f"{scores.cosim:.3f}", _brackets(scores.cosim_interval), f"{scores.whole:.3f}",
            *(f"{part.emr:.2f}" if part.asked else "–" for part in scores.parts.values()),
        ]  # fmt: skip
        yield f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div>"


def _plot_sources(judgement: Judgement) -> str:
    """EMR by number of sources, with intervals, between the floor and the ceilings."""
    left, top, width, height = 44, 16, 300, 180
    scores = judgement.scores
    marks = [_grid(left, top, width, height)]
    lines = [(f"floor {scores.floor:.2f}", scores.floor)]
    lines += [(f"{name} {ceiling.emr:.2f}", ceiling.emr) for name, ceiling in judgement.ceilings.items()]
    for number, (name, value) in enumerate(lines):
        y = top + height * (1 - value)
        marks.append(
            f'<line class="bound" x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}"><title>{escape(name)}'
            f"</title></line>"
        )
        # Ceilings lie close together: their names stand below each other, under the plot's top.
        place = y - 5 if not number else top + height * 0.5 + 14 * number
        marks.append(f'<text class="small" x="{left + width - 4}" y="{place:.1f}" text-anchor="end">')
        marks.append(f"{escape(name if not number else f'dashed: {name}')}</text>")
    groups = list(judgement.sources.items())
    for number, (mix, group) in enumerate(groups):
        x = left + width * (number + 0.5) / len(groups)
        low, high, y = (top + height * (1 - value) for value in (*group.emr_interval, group.emr))
        said = f"{mix} sources: {group.emr:.3f} {_brackets(group.emr_interval)}, {group.pictures} pictures"
        marks.append(f'<g><title>{said}</title><line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" ')
        marks.append(f'y2="{high:.1f}"/><circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="5"/></g>')
        marks.append(f'<text x="{x:.1f}" y="{top + height + 18}" text-anchor="middle">{mix}</text>')
    return _figure("Match rate by number of sources", left + width + 12, top + height + 28, marks)


def _plot_parts(pack: Pack, scores: Scores) -> str:
    """EMR by part, with intervals and what guessing gives."""
    left, top, width, row = 96, 16, 260, 30
    height = row * len(scores.parts)
    colours = {part.name: part.colour for part in pack.vocabulary.parts}
    marks = []
    for number, (name, part) in enumerate(scores.parts.items()):
        y = top + row * (number + 0.5)
        low, high, end, chance = (left + width * value for value in (*part.emr_interval, part.emr, part.chance))
        said = f"{name}: {part.emr:.3f} {_brackets(part.emr_interval)}, asked for {part.asked} times"
        marks.append(f"<g><title>{escape(said)}</title>")
        marks.append(f'<rect x="{left}" y="{y - 8:.1f}" width="{end - left:.1f}" height="16" rx="3" ')
        marks.append(f'fill="{escape(colours[name])}"/>')
        # On paper of their own, so that they are seen on a bar of any colour.
        for kind, ends in (
            ("mark", f'x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"'),
            ("bound", f'x1="{chance:.1f}" x2="{chance:.1f}" y1="{y - 11:.1f}" y2="{y + 11:.1f}"'),
        ):
            marks.append(f'<line class="under" {ends}/><line class="{kind}" {ends}/>')
        marks.append("</g>")
        shown = name if len(name) <= 12 else f"{name[:11]}…"
        marks.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(shown)}</text>')
        marks.append(f'<text class="small" x="{left + width + 6}" y="{y + 4:.1f}">{part.emr:.2f}</text>')
    marks.append(f'<line class="axis" x1="{left}" x2="{left}" y1="{top}" y2="{top + height}"/>')
    return _figure("Match rate by part (dashed: guessing)", left + width + 44, top + height + 12, marks)


def _grid(left: int, top: int, width: int, height: int) -> str:
    marks = []
    for quarter in range(5):
        y = top + height * (1 - quarter / 4)
        marks.append(f'<line class="axis" x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{quarter / 4:g}</text>')
    return "".join(marks)


def _figure(title: str, width: float, height: float, marks: Sequence[str]) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">{"".join(marks)}</svg></figure>'
    )


def _sheets(pictures: Sequence[ReportPicture]) -> Iterator[str]:
    for mix in sorted({picture.sources for picture in pictures}):
        group = [picture for picture in pictures if picture.sources == mix]
        count = f"the first {_SHOWN} of {len(group)} pictures" if len(group) > _SHOWN else f"{len(group)} pictures"
        yield f"<h2>{mix} source{'' if mix == 1 else 's'} each: {count}</h2>"
        yield '<div class="sheet">'
        yield from map(_cell, group[:_SHOWN])
        yield "</div>"


def _cell(picture: ReportPicture) -> str:
    image = open_picture(picture.path, _SIDE)
    data = BytesIO()
    image.save(data, "JPEG", quality=88)
    address = "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
    words, lines = picture.vocabulary, []
    for arrival in picture.verdicts[0][1] if picture.verdicts else ():
        asked = f"{words.parts[arrival.part].name} {words.code_name(arrival.part, arrival.code)}"
        seen = "none" if arrival.found == ABSENT else words.code_name(arrival.part, arrival.found)
        if arrival.arrived:
            lines.append(f"<li>✓ {escape(asked)}</li>")
        elif arrival.unsure:
            lines.append(f"<li>? {escape(asked)}<small> unsure</small></li>")
        else:
            lines.append(f'<li class="missed">✗ {escape(asked)}<small> seen: {escape(seen)}</small></li>')
    name = escape(f"{picture.prompt}, seed {picture.seed}")
    return (
        f'<figure><img src="{address}" alt="{name}" title="{name}" width="{image.width}" height="{image.height}">'
        f"<ul>{''.join(lines)}</ul></figure>"
    )


def _brackets(interval: Interval) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


_PROTOCOL: Final = """<h2>How this was measured</h2>
<p>Each picture is asked to show parts of so many of the pack's references, drawn at random, every visible part once.
<b>EMR</b>, the exact match rate, is the share of the requested (part, code) pairs whose part is seen with that code.
<b>CoSim</b> is the mean cosine of the codebook's centroids of the seen and of the requested code: 1 where they are one,
0 where none was seen. <b>Chance</b> is what guessing gives: for each part the chance that a request and what was seen
agree if they are drawn on their own, at least one in as many codes as can be asked for. The <b>floor</b> is what the
pictures score for the requests of other pictures, over all ways to shuffle them; the <b>ceilings</b> are pictures that
nothing had to be rendered for. <b>Intervals</b> are the middle 95% of 2,000 resamples of the pictures, within each
number of sources. Where every picture is right (or wrong) such an interval has no width, which a few pictures do not
prove. All of it, with what was seen in each picture, is in report.json.</p>"""

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2024; --quiet: #5c636b; --line: #d9dde2; --paper: #fff; --accent: #0b6bcb;
  --missed: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --quiet: #a3abb5; --line: #3a4048; --paper: #16181b;
  --accent: #7ab8ff; --missed: #ff8a80; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 8px; } h2 { font-size: 17px; margin: 32px 0 8px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 190px), 1fr)); gap: 16px;
  margin: 16px 0; }
.tiles div { border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tiles span { display: block; color: var(--quiet); font-size: 13px; } .tiles strong { font-size: 28px; }
.plots { display: flex; flex-wrap: wrap; gap: 24px; } figure { margin: 0; }
figcaption { font-weight: 600; font-size: 13px; } svg { max-width: 100%; height: auto; }
svg text { font-size: 12px; fill: var(--ink); } svg .small { font-size: 11px; fill: var(--quiet); }
.axis { stroke: var(--line); } .bound { stroke: var(--quiet); stroke-dasharray: 4 3; }
.under { stroke: var(--paper); stroke-width: 5; } .mark { stroke: var(--ink); stroke-width: 2; }
.dot { fill: var(--accent); }
.wide { overflow-x: auto; margin-top: 12px; } table { border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 8px; border-bottom: 1px solid var(--line); text-align: right; font-size: 13px; font-weight: 400;
  white-space: nowrap; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
thead th { color: var(--quiet); } .wide:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 16px; }
.sheet img { width: 100%; height: auto; border-radius: 6px; display: block; }
.sheet ul { list-style: none; margin: 4px 0 0; padding: 0; font-size: 12px; line-height: 1.4; color: var(--quiet); }
.sheet .missed { color: var(--missed); }
@media (max-width: 600px) { main { padding: 16px; } .tiles { grid-template-columns: 1fr 1fr; gap: 8px; }
  .tiles div { padding: 8px 12px; } th:first-child { white-space: normal; min-width: 96px; }
  .sheet { grid-template-columns: 1fr 1fr; gap: 12px; } }
"""
