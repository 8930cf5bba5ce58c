"""What the simulator itself saw and did, as JSON lines: the independent witness of a session.

The format, one object per line. Every line has

========== ==========================================================================================
``kind``   what it tells, see below
``t_s``    the simulator's clock: seconds since its start
``mono_s`` ``time.monotonic()`` of the machine at that moment, so that another process of the same
           machine can lay its own events beside the line
========== ==========================================================================================

and, by kind:

* ``start``: ``profile``, ``serial``, ``firmware``, ``speed`` (simulated seconds per real second; 0: only when told)
* ``rx``: bytes from the host: ``hex`` (``"AA 04 01 03"``), ``link``, ``with_response`` (null where nobody can tell)
* ``tx``: bytes to the host: ``hex``, ``link``
* ``motor``: ``channel``, ``ppm`` (what it really does), ``level`` (what it was last asked for, in the device's unit);
  on every change, and at least every 0.5 simulated seconds while it turns
* ``bad``: bytes, or a command, that the firmware does not take: ``hex`` (empty for a command), ``reason``
* ``timer``: one of the device's own timers: ``timer`` (``off``: the one that switches it off; ``schedule``: one that is
  started, paused and reset) and ``state``: ``set``, ``cleared`` and ``ended`` of the first, with ``left_s``;
  ``loaded``, ``started``, ``interval`` (the next one begins), ``paused``, ``reset`` and ``ended`` of the other, with
  ``elapsed_s`` and, when it keeps a schedule, ``left_s``, ``intervals``, ``interval`` (counted from 0), ``rest``,
  ``interval_left_s``
* ``fault``: something was injected or ended, or went wrong by itself: ``fault``, and its settings. By themselves come
  ``cut_out``, ``battery_empty``, ``auto_off``, ``heartbeat_missed`` (the host fell silent), ``lease_expired`` (no level
  came)
* ``link``: ``state`` (``connected``, ``disconnected``), ``link``, ``count`` (hosts that are connected now)
* ``speed``: the speed of time was changed: ``speed``
* ``end``: ``channels``: for each channel its last ``ppm`` and ``level``

Lines are in the order of ``t_s``. A simulator that was killed leaves a record without ``end``.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Protocol, TextIO

from simulators.clock import SimClock

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where entries go."""

    def append(self, entry: dict[str, Any], /) -> None:
        """Take one entry."""
        ...


class RecordFile:
    """Entries as lines of a file, each flushed at once, because being killed is a normal way to end."""

    def __init__(self, path: Path) -> None:
        """Begin a new file. Raises OSError."""
        self._file: TextIO | None = path.open("w", encoding="utf-8", newline="\n")

    def append(self, entry: dict[str, Any], /) -> None:
        """Write one line. When the disk refuses, the device goes on, and says once that the record ends here."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as problem:
            _log.warning("the record ends here: %s", problem)
            self.close()

    def close(self) -> None:
        """End the file."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as problem:
                _log.warning("the record may lack its last line: %s", problem)


class Recorder:
    """Stamps what happens and hands it on; keeps nothing itself. ``sink`` is a `RecordFile`, or a list in tests."""

    def __init__(self, sink: Sink, clock: SimClock) -> None:
        self._sink = sink
        self._clock = clock

    def record(self, kind: str, *, t_s: float, **values: Any) -> None:
        """Record what happened at the simulated time ``t_s``."""
        stamps = {"t_s": round(t_s, 6), "mono_s": round(self._clock.mono_at(t_s), 6)}
        self._sink.append({"kind": kind, **stamps, **values})


def spaced_hex(data: bytes) -> str:
    """Bytes as a person reads them: ``AA 04 01 03``."""
    return data.hex(" ").upper()
