"""What a person is told, in words."""

from __future__ import annotations

import re

from controller import events
from controller.cli.durations import clock_text
from controller.sessions import BY_THE_PERSON
from routines.regions import Region, find_region
from routines.schema import NEEDS_NO_PLACE
from routines.timeline import Span, Timeline

_NEXT = re.compile(r"Next: (?:(?:left|right) side, )?(.+?)\.(?: |$)")


def is_by_hand(span: Span) -> bool:
    """Whether the person presses on a place without a motor."""
    return span.kind == "work" and bool(span.places) and not span.drives and span.technique not in NEEDS_NO_PLACE


def manner(span: Span) -> list[str]:
    """How it is done: technique, where the place is not named by it, position, tool, and whether by hand."""
    if span.kind == "rest":
        return []
    technique = span.technique if span.kind == "work" and span.places else None
    words = [word.replace("-", " ") for word in (technique, span.position, span.tool) if word and word != "none"]
    return [*words, "by hand"] if is_by_hand(span) else words


def place_or_technique(span: Span) -> str:
    """Where, or what where it names no place: ``left piriformis``, ``stretch``."""
    return span.place or (span.technique or span.kind).replace("-", " ")


def note_of(span: Span) -> str:
    """Its note, without what its technique says by itself or its own cue says already."""
    note = span.note.replace(f"By hand: {(span.technique or '').replace('-', ' ')} is not for a machine.", "")
    for place in span.places:
        region = find_region(place.region)
        if isinstance(region, Region) and region.check_first and _begins_like(span.cue, region.check_first):
            note = note.replace(region.check_first, "")
    return " ".join(note.split())


def _begins_like(cue: str, check_first: str) -> bool:
    """Whether a cue begins with the same check in other words: ``Clot check first: …``."""
    head, colon, _ = check_first.partition(":")
    return bool(colon) and cue.startswith(f"{head}:")


def way_of(span: Span) -> tuple[str, str]:
    """Where a way leads, and what else its cue says: a cue begins with the place, in words of its own."""
    found = _NEXT.match(span.cue)
    region = find_region(span.region) if span.region is not None else None
    if found is None or not isinstance(region, Region) or span.also or not found[1].endswith(region.name):
        return span.place, span.cue
    technique = found[1].removesuffix(region.name).rstrip(", ")
    where = ", ".join(part for part in (span.place, technique, lay_names(span)) if part)
    return where, span.cue[found.end() :]


def closing_words(plan: Timeline) -> str:
    """The closing note after the word that ends a session, which it may begin with."""
    return " ".join(plan.closing_note.split()).removeprefix("Done. ")


def lay_names(span: Span) -> str:
    """The places without Latin, where it says more: ``lower back, beside the spine``."""
    regions = [find_region(place.region) for place in span.places]
    names = dict.fromkeys(region.name for region in regions if isinstance(region, Region))
    return "; ".join(name for name in names if " " in name)


def message_of(event: events.Event) -> str:
    """The sentence that tells of an event; empty for those that figures show."""
    match event:
        case events.RequestRefused(reason):
            return f"No: {reason}"
        case events.SessionPaused(reason):
            return f"Paused: {reason}" if reason else "Paused; the motor stops. Space goes on."
        case events.SessionResumed():
            return "Going on, from rest."
        case events.KeyAwaited():
            return "Press space when you are in place."
        case events.SpanExtended(extra_s):
            return f"{extra_s:.0f} s more here."
        case events.IntensityChanged(change, is_held):
            return f"Intensity {change:+.0f} % from the plan{', and no rise here any more' if is_held else ''}."
        case events.PainAsked(moment):
            return question(moment)
        case events.PainTold(_, score):
            return "Tingling, numbness or shooting pain: stopped." if score is None else f"Pain {score} of 10."
        case _:
            return _device_message(event)


def _device_message(event: events.Event) -> str:
    match event:
        case events.LinkLost(device, reason):
            return f"{device}: {reason}"
        case events.LinkRestored(device):
            return f"{device} is back and was stopped."
        case events.BytesIgnored(device, reason):
            return f"{device}: what it sent {reason}"
        case events.TimerFailed(_, reason):
            return f"The timer does not go along any more: {reason}"
        case events.OwnTimerSet(device, duration_s):
            return f"{device} would switch itself off after {clock_text(duration_s)}."
        case _:
            return ""


def question(moment: events.PainMoment) -> str:
    """What is asked about pain."""
    if moment == "between":
        return "How much does it hurt now? 0 to 10."
    return f"How much does it hurt, {moment}? 0 (not at all) to 10; space to go on without saying."


def stop_message(stopped: events.DeviceStopped) -> str:
    """What proves that a device stopped."""
    said = {
        "confirmed": "confirmed by its status",
        "cannot_report": "sent; it cannot report, so look at it",
        "unconfirmed": "NOT CONFIRMED: press its button",
    }[stopped.proof]
    return f"{stopped.device}: stop {said} (sent {stopped.attempts}×)"


def end_message(ended: events.SessionEnded) -> str:
    """The sentence that tells how a session ended."""
    words = {
        "done": "Done.",
        "stopped": "Stopped.",
        "refused": "Refused.",
        "link_lost": "The link was lost.",
        "device_fault": "The device is at fault.",
        "stop_unconfirmed": "NOT CONFIRMED TO HAVE STOPPED.",
    }
    reason = "" if ended.reason == BY_THE_PERSON else ended.reason
    return f"{words[ended.outcome]} {reason}".strip()
