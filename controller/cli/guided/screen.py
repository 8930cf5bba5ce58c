"""A session on the whole screen of a terminal, drawn line over line; a few lines of account stay when it is over."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from controller import events
from controller.cli.guided import Followed
from controller.cli.guided.account import Account
from controller.cli.guided.layout import frame
from controller.cli.guided.shown import Shown
from controller.cli.guided.signs import Sign, tone_of, tone_of_sign
from controller.cli.guided.sound import Sound

# https://invisible-island.net/xterm/ctlseqs/ctlseqs.html: the alternate screen, and the cursor.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[H", "\x1b[?25h\x1b[?1049l"
# https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036: what is between appears at once, where the
# terminal knows it; the others ignore it.
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"

IN_ASCII = str.maketrans({"─": "-", "━": "=", "█": "#", "·": "|", "…": ".", "×": "x"})


class Painter:
    """Draws lines on the alternate screen. Nothing is erased: only lines that are not there yet are written over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_open = False
        self._size = (0, 0)
        self._drawn: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return self._console.size.width, self._console.size.height

    def open(self) -> None:
        """Take the alternate screen."""
        self._is_open = True
        _write(ENTER)

    def draw(self, lines: Sequence[Text], size: tuple[int, int]) -> None:
        """Draw lines that fill a screen of this size; one that was resized is drawn anew."""
        if size != self._size:
            self._size, self._drawn = size, []
        rendered = [self._rendered(line) for line in lines]
        before = self._drawn or [""] * len(rendered)
        changed = [number for number, line in enumerate(rendered) if line != before[number]]
        if changed:
            moved = "".join(f"\x1b[{number + 1};1H{rendered[number]}" for number in changed)
            _write(f"{BEGIN_FRAME}{moved}{END_FRAME}")
        self._drawn = rendered

    def close(self) -> None:
        """Give the screen back as it was."""
        if self._is_open:
            self._is_open = False
            _write(LEAVE)

    def _rendered(self, line: Text) -> str:
        with self._console.capture() as rendered:
            self._console.print(line, end="", soft_wrap=True, highlight=False)
        return self.spelled(rendered.get())

    def spelled(self, text: str) -> str:
        """A text in characters that the terminal knows."""
        return text if self._console.encoding.lower().startswith("utf") else text.translate(IN_ASCII)


class ScreenDisplay:
    """Where, what, how long, how fast, which keys; and a picture of where on the body."""

    def __init__(self, console: Console, sound: Sound) -> None:
        self._painter = Painter(console)
        self._sound = sound
        self._shown: Shown | None = None
        self._account: Account | None = None

    def begin(self, session: Followed) -> None:
        """Take the screen."""
        self._shown, self._account = Shown(session), Account(session.plan)
        self._painter.open()
        self._draw()

    def event(self, event: events.Event) -> None:
        """Take up what happened; what runs by itself is drawn at the next refresh."""
        if self._shown is None or self._account is None:
            return
        self._account.hear(event)
        self._sound_out(self._shown.hear(event))
        if tone := tone_of(event):
            self._sound.play(tone)
        if not isinstance(event, events.LevelAsked | events.DeviceReported):
            self._draw()

    def refresh(self) -> None:
        """Draw how time passes."""
        self._sound.refresh()
        self._draw()

    def end(self) -> None:
        """Give the screen back, and tell there what was done."""
        self._painter.close()
        if self._account is not None:
            width = self._painter.size[0]
            lines = [part for line in self._account.lines() for part in textwrap.wrap(line, width)]
            _write("".join(f"{self._painter.spelled(line)}\n" for line in lines))
        self._shown = self._account = None
        self._sound.close()

    def _draw(self) -> None:
        if self._shown is None:
            return
        self._sound_out(self._shown.look())
        width, height = size = self._painter.size
        self._painter.draw(frame(self._shown, width, height), size)

    def _sound_out(self, signs: list[Sign]) -> None:
        for sign in signs[-1:]:  # of several at once only the last can be heard
            self._sound.play(tone_of_sign(sign))


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
