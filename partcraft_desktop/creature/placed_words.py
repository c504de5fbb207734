"""A placed part in words, for those who hear it."""

from __future__ import annotations

from partcraft_desktop.creature.placed_layers import PlacedLayer


def words_of(placed: PlacedLayer, title: str, is_kept: bool = False) -> str:
    """ "head, Dove, selected, 12 px right, turned 10° clockwise": what it is and how a person changed it."""
    wanted = placed.wanted
    words = [placed.layer.name, *([title] if title else []), "selected"]
    across, down = (round(value * placed.full_side) for value in wanted.move)
    words += [f"{abs(across)} px {'right' if across > 0 else 'left'}"] if across else []
    words += [f"{abs(down)} px {'down' if down > 0 else 'up'}"] if down else []
    size = round(wanted.scale * 100)
    words += [f"{size} % of its size"] if size != 100 else []
    turn = round(wanted.turn)
    words += [f"turned {abs(turn)}° {'counterclockwise' if turn > 0 else 'clockwise'}"] if turn else []
    words += ["mirrored"] if wanted.mirror else []
    words += ["kept in renders"] if is_kept else []
    words += ["hidden"] if wanted.hidden else []
    return ", ".join(words)
