"""Tones: files that any player plays, and a bell that rings one at a time."""

from __future__ import annotations

import itertools
import wave
from array import array
from pathlib import Path

import pytest

from controller.cli.guided.sound import BELLS, NOTES, Bell, Tone, write_tones


def hertz_of(path: Path, from_s: float, to_s: float) -> float:
    """The pitch of a part of a file, by how often it crosses zero upwards."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = array("h", file.readframes(file.getnframes()))
    part = samples[round(from_s * rate) : round(to_s * rate)]
    crossings: int = sum(before < 0 <= after for before, after in itertools.pairwise(part))
    return crossings / (to_s - from_s)


def test_every_tone_is_a_short_file_of_its_pitches(tmp_path: Path) -> None:
    files = write_tones(tmp_path)
    assert set(files) == set(Tone)
    for tone, path in files.items():
        at_s = 0.0
        for hertz, for_s in NOTES[tone]:
            assert hertz_of(path, at_s, at_s + for_s) == pytest.approx(hertz, abs=2 / for_s)
            at_s += for_s
        with wave.open(str(path)) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            assert file.getnframes() / file.getframerate() == pytest.approx(at_s, abs=0.001)
            # A countdown ticks once a second: no tone reaches into the next.
            assert at_s < 1


def test_no_two_tones_are_alike_in_pitch() -> None:
    assert len(set(NOTES.values())) == len(Tone)


def test_a_bell_rings_once_at_a_time_and_a_new_tone_takes_over(capsys: pytest.CaptureFixture[str]) -> None:
    bell = Bell()
    bell.play(Tone.ATTENTION)
    heard = [capsys.readouterr().err]
    for _ in range(6):
        bell.refresh()
        heard.append(capsys.readouterr().err)
    assert heard == ["\a"] * BELLS[Tone.ATTENTION] + [""] * (7 - BELLS[Tone.ATTENTION])
    bell.play(Tone.ATTENTION)
    bell.play(Tone.TICK)
    bell.refresh()
    assert capsys.readouterr().err == "\a\a"
