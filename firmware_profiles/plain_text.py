"""Text from elsewhere (names of files and devices, what a file says) on its way to a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """Put U+FFFD for every character that a terminal would obey rather than show, line ends among them."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
