"""What a lamp or buzzer does: at the start of each piece of work or rest, half-way, three-two-one, and when done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from firmware_profiles.capabilities import Capabilities, Channel
from firmware_profiles.commands import SetLevel
from routines.schema import Step
from routines.timeline import OFF, Cue, Span

PULSE_S, TICK_S, DONE_S = 0.5, 0.2, 1.0
"""How long a lamp or buzzer is on at the start and half-way, in the last three seconds, and at the very end. Own
choices: told apart by the ear, and over before the next."""

COUNTDOWN_S = (3.0, 2.0, 1.0)
"""Three, two, one: how long before the end of a piece of work or rest it ticks."""

HALFWAY_FROM_S = 20.0
"""A piece that is shorter has no sign half-way. Own choice."""


def with_signals(spans: list[Span], steps: Sequence[Step], timer: Capabilities) -> list[Span]:
    """The spans of a routine's steps with what this timer does in them."""
    channel = next(iter(timer.channels.values()), None)
    if channel is None:
        return spans
    signalled: list[Span] = []
    for number, span in enumerate(spans):
        pulses = _pulses(span.duration_s, is_last=number == len(spans) - 1)
        if span.kind == "move" or "timer" not in steps[span.step - 1].roles:
            pulses = []
        signals = tuple(cue for at_s, for_s in pulses for cue in _pulse(channel, at_s, for_s))
        signalled.append(replace(span, signals=signals))
    return signalled


def _pulses(duration_s: float, *, is_last: bool) -> list[tuple[float, float]]:
    """When it is on, and for how long; each is over before the next, and before the span is."""
    pulses = [(0.0, min(PULSE_S, duration_s))]
    if duration_s >= HALFWAY_FROM_S:
        pulses.append((duration_s / 2, PULSE_S))
    if duration_s >= PULSE_S + max(COUNTDOWN_S):
        ticks = [(duration_s - before_s, TICK_S) for before_s in COUNTDOWN_S]
        pulses += [*ticks[:-1], (duration_s - DONE_S, DONE_S)] if is_last else ticks
    return pulses


def _pulse(channel: Channel, at_s: float, for_s: float) -> tuple[Cue, Cue]:
    on = Cue(at_s, "timer", SetLevel(channel.name, channel.levels.lowest))
    return on, Cue(at_s + for_s, "timer", SetLevel(channel.name, OFF))
