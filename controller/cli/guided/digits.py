"""Figures that can be read from across a room."""

from __future__ import annotations

HEIGHT = 5

# Five rows of three cells; each cell is two columns wide, because a column is half as wide as a line is high.
_CELLS = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ":": (" ", "#", " ", "#", " "),
}


def big(text: str) -> list[str]:
    """Digits and colons as `HEIGHT` lines of blocks."""
    rows = [" ".join(_CELLS[character][row] for character in text) for row in range(HEIGHT)]
    return ["".join("██" if cell == "#" else "  " for cell in row) for row in rows]
