"""What the person is told, where the routine does not say it."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_profiles.capabilities import Place, Side
from routines.regions import Region
from routines.schema import GROWING_TECHNIQUES, NEEDS_NO_PLACE, Step

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
    "hold": "Rest on the tenderest spot without pushing, and stay. If it tingles or shoots, lift off and stop.",
    "pressure-and-release": "Stay on the tenderest spot; let it rise only as far as it feels good. Breathe out long.",
    "circles": "Small, slow circles. Keep breathing.",
    "exercise": "Do it slowly; few and well done is better.",
    "breathing": "Breathe in through the nose, and out slowly.",
    "rest": "Rest and breathe slowly.",
    "transition": "Get ready for the next place.",
}

_INSTEAD = {
    **dict.fromkeys(("lumbar_paraspinal", "upper_back", "shoulders"), "your hands"),
    "quadriceps": "a foam roller",
    **dict.fromkeys(("hamstrings", "calves"), "a foam roller or a stick"),
    "foot_arch": "a tennis ball",
    "heel": "your thumb",
}
"""What does instead of a massage gun: a roller for big muscles, a stick for deep tissue (guide G5); else a ball."""


def work_cue(step: Step, region: Region | None) -> str:
    """What to do: the routine's own words, else what suits the technique or the place."""
    return step.cue or _TECHNIQUES.get(step.technique) or (region.how if region else "")


def at_once_cue(cues: Sequence[tuple[Place | None, str]], hands: str) -> str:
    """What to do at one place, or at several at the same time; ``hands`` says with which device where."""
    if len(cues) == 1:
        return f"{hands} {cues[0][1]}".strip()
    return f"{hands} {' At the same time, '.join(f'{place}: {cue}' for place, cue in cues)}".strip()


def rest_cue() -> str:
    """What to do between two pieces of work."""
    return _TECHNIQUES["rest"]


def move_cue(step: Step, region: Region | None, side: Side | None) -> str:
    """Where to go next, how to find it, in which position."""
    name = step.technique.replace("-", " ")
    if region:
        name = f"{name}, {region.name}" if step.technique in NEEDS_NO_PLACE else region.name
    parts = [f"Next: {f'{side} side, ' if side else ''}{name}."]
    position = _position(step.position, side) if step.position else ""
    if position and not (region and region.landmark.startswith(position)):
        parts.append(position)
    if region and step.technique not in NEEDS_NO_PLACE:
        parts.append(region.landmark)
    if step.tool not in {None, "none"}:
        parts.append(f"Use: {_tool(step, region)}.")
    return " ".join(parts)


def _position(position: str, side: Side | None) -> str:
    if position == "side-lying" and side is not None:
        return f"Lie on your {'right' if side == 'left' else 'left'} side, with the {side} one up."
    return _POSITIONS[position]


def _tool(step: Step, region: Region | None) -> str:
    name = str(step.tool).replace("-", " ")
    if step.tool != "massage-gun" or region is None:
        return name
    instead = _INSTEAD.get(region.id, "a ball")
    if step.technique in GROWING_TECHNIQUES and "roller" in instead:
        instead = "a ball"
    return f"{name}, or {instead}"


def move_note(step: Step, region: Region | None) -> str:
    """What to keep off, and what to look for before starting."""
    if region is None or step.technique in NEEDS_NO_PLACE:
        return ""
    return f"{region.check_first} Keep off: {'; '.join(region.avoid)}.".strip()
