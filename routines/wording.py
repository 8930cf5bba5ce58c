"""What the person is told, where the routine does not say it."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_profiles.capabilities import Place, Side
from routines.regions import Region
from routines.schema import NEEDS_NO_PLACE, Step

_POSITIONS = {
    "supine-knees-bent": "Lie on your back with the knees bent.",
    "prone": "Lie on your front.",
    "side-lying": "Lie on your side.",
    "seated": "Sit down.",
    "seated-leg-extended": "Sit with the leg stretched out.",
    "standing": "Stand, with something to hold on to.",
}

_TECHNIQUES = {
    "myofascial-release": "Press softly and let the tissue give; there is no hurry.",
    "stretch": "Stretch slowly, only as far as it feels good.",
    "nerve-glide": "Move slowly to and fro; stop short of any tingling.",
    "breathing": "Breathe in through the nose, and out slowly.",
    "rest": "Rest and breathe slowly.",
    "transition": "Get ready for the next place.",
}


def work_cue(step: Step, region: Region | None) -> str:
    """What to do: the routine's own words, else what suits the technique or the place."""
    return step.cue or _TECHNIQUES.get(step.technique) or (region.how if region else "")


def at_once_cue(cues: Sequence[tuple[Place | None, str]]) -> str:
    """What to do at one place, or at several at the same time."""
    if len(cues) == 1:
        return cues[0][1]
    return " At the same time, ".join(f"{place}: {cue}" for place, cue in cues)


def rest_cue() -> str:
    """What to do between two pieces of work."""
    return _TECHNIQUES["rest"]


def move_cue(step: Step, region: Region | None, side: Side | None) -> str:
    """Where to go next, how to find it, in which position."""
    name = step.technique.replace("-", " ")
    if region:
        name = f"{name}, {region.name}" if step.technique in NEEDS_NO_PLACE else region.name
    parts = [f"Next: {f'{side} side, ' if side else ''}{name}."]
    if step.position:
        parts.append(_POSITIONS[step.position])
    if region and step.technique not in NEEDS_NO_PLACE:
        parts.append(region.landmark)
    if step.tool not in {None, "none"}:
        parts.append(f"Use: {str(step.tool).replace('-', ' ')}.")
    return " ".join(parts)


def move_note(step: Step, region: Region | None) -> str:
    """What to keep off, and what to look for before starting."""
    if region is None or step.technique in NEEDS_NO_PLACE:
        return ""
    return f"{region.check_first} Keep off: {'; '.join(region.avoid)}.".strip()
