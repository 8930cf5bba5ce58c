"""A small picture of the body in text, with the places of now and next marked.

Seen from behind, left is on the left, as when one looks at one's own back; seen from the front it is on the right, as
with somebody who faces one. Both sides are named above the picture.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Literal

from firmware_profiles.capabilities import Place, Side

if TYPE_CHECKING:
    from rich.text import Text

View = Literal["back", "front"]

OUTLINE = r"""
       .---.
       '. .'
   .----' '----.
  /             \
 /  |         |  \
 |  |         |  |
 |  |         |  |
 |  |         |  |
 |  |         |  |
 '--|         |--'
    |    |    |
    |    |    |
    |   | |   |
     |  | |  |
     |  | |  |
     |  | |  |
     (  ) (  )
    (___) (___)
""".strip("\n").splitlines()

WIDTH = 19
HEIGHT = len(OUTLINE) + 2
"""With the line above that names the sides, and the one below that explains the marks."""

NOW, NEXT = "#", ":"

Cells = tuple[tuple[int, int, int], ...]
"""Cells of the left half of the picture: (line, first column, last column). The right half is its mirror image."""

PLACES: dict[str, tuple[View, Cells]] = {
    "shoulders": ("back", ((3, 4, 7),)),
    "upper_back": ("back", ((4, 6, 8), (5, 6, 8))),
    "lumbar_paraspinal": ("back", ((6, 7, 8), (7, 7, 8))),
    "gluteus_medius": ("back", ((8, 5, 6),)),
    "piriformis": ("back", ((9, 6, 8),)),
    "gluteus_maximus": ("back", ((9, 5, 8), (10, 5, 8))),
    "hamstrings": ("back", ((11, 5, 8), (12, 5, 7))),
    "calves": ("back", ((14, 6, 7), (15, 6, 7))),
    "heel": ("back", ((16, 6, 7),)),
    "foot_arch": ("back", ((17, 5, 7),)),
    "iliopsoas": ("front", ((9, 6, 7),)),
    "gluteus_minimus": ("front", ((9, 5, 5), (10, 5, 5))),
    "quadriceps": ("front", ((11, 5, 8), (12, 5, 7))),
}


def views(now: Collection[Place], following: Collection[Place], *, are_both_shown: bool) -> tuple[View, ...]:
    """From where the body is shown: both ways, or where the place of now, else of next, is seen."""
    if are_both_shown:
        return ("back", "front")
    for place in (*now, *following):
        if place.region in PLACES:
            return (PLACES[place.region][0],)
    return ("back",)


def draw(view: View, now: Collection[Place], following: Collection[Place]) -> list[Text]:
    """The picture as `HEIGHT` lines of `WIDTH` columns."""
    from rich.text import Text

    marked = {cell: NEXT for place in following for cell in _cells(view, place)}
    marked |= {cell: NOW for place in now for cell in _cells(view, place)}
    styles = {NOW: "bold green", NEXT: "yellow"}
    sides = "left   BACK   right" if view == "back" else "right  FRONT   left"
    lines = [Text(sides)]
    for number, outline in enumerate(OUTLINE):
        line = Text()
        for column, drawn in enumerate(outline.ljust(WIDTH)):
            mark = marked.get((number, column))
            line.append(mark or drawn, styles[mark] if mark else "dim")
        lines.append(line)
    seen = {mark: name for mark, name in ((NOW, "now"), (NEXT, "next")) if mark in marked.values()}
    explained = "   ".join(f"{mark} {name}" for mark, name in seen.items())
    return [*lines, Text(explained.center(WIDTH).rstrip())]


def _cells(view: View, place: Place) -> Iterator[tuple[int, int]]:
    seen_from, cells = PLACES.get(place.region, (None, ()))
    if seen_from != view:
        return
    for line, first, last in cells:
        for column in range(first, last + 1):
            for side in place.sides:
                yield line, column if _is_in_left_half(view, side) else WIDTH - 1 - column


def _is_in_left_half(view: View, side: Side) -> bool:
    return (side == "left") == (view == "back")
