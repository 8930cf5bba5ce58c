"""From a routine and the devices at hand to a timeline: pure, and refusing whatever is outside the limits.

Nothing is clamped in silence. What a device cannot do becomes a step by hand with the timer, and the plan says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from firmware_profiles.capabilities import Capabilities, Channel, Role
from firmware_profiles.commands import SetLevel
from firmware_profiles.tomlfile import dotted
from firmware_profiles.units import Level
from routines.errors import PlanRefusedError
from routines.loader import Routine
from routines.regions import Refusal, Region, UnknownRegion, find_region, strictest_regions
from routines.schema import DRIVEN_TECHNIQUES, NEEDS_NO_PLACE, SESSION_MAX_S, Intensity, Step, parse_intensity
from routines.timeline import OFF, Cue, Drive, Side, Span, Timeline

MOVE_S = 8.0
"""Time to bring a hand-held device to the next place; own choice, a routine may say otherwise."""

PULSE_S = 0.5
"""How long a timer's lamp or buzzer is on; own choice: long enough to notice, short enough not to annoy."""

HOLD_STEPS = 3
"""A sustained pressure rises in two or three steps (Szajkowski 2025)."""

_SIDES: tuple[Side, Side] = ("left", "right")
_ROUNDING = 1e-6

Devices = Mapping[Role, Capabilities]


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds at a place: how strong, how gentle, and what sets the cap. ``place`` is its name for messages."""

    place: str
    gentle_ppm: int
    cap_ppm: int

    def cap(self, device: Capabilities, channel: Channel) -> tuple[float, str]:
        """The tightest cap in percent of the channel's full scale, and its reason."""
        levels = channel.levels
        region_percent = levels.percent_of_ppm(self.cap_ppm)
        if levels.is_switch or device.cap_percent < region_percent:
            return device.cap_percent, device.cap_reason
        return region_percent, f"{self.place} bears at most {self.cap_ppm} ppm"


class TooStrongError(Exception):
    """An intensity above the cap; the sentence has both numbers."""


def plan(routine: Routine, devices: Devices) -> Timeline:
    """Plan a routine for the devices that are bound; without a massager it is a complete guided timer.

    Raises PlanRefusedError with file, line, key and the reason.
    """
    spans: list[Span] = []
    for number, step in enumerate(routine.steps):
        planner = _StepPlanner(routine, number, step, devices)
        for _ in range(step.repeat):
            spans += planner.spans(spans[-1] if spans else None)
    spans = _with_extra_time(routine, spans)
    timeline = Timeline(routine.name, tuple(_with_final_signal(spans, devices)), _roles(devices), routine.closing_note)
    if timeline.duration_s > SESSION_MAX_S and any(span.drives for span in spans):
        what = f"lasts {timeline.duration_s:.0f} s with this device; a session is at most {SESSION_MAX_S:.0f} s."
        raise PlanRefusedError(what, path=routine.path, line=1, fix="Shorten some steps, or split it in two.")
    return timeline


def plan_hold(
    percent: float, duration_s: float, devices: Devices, *, region: str | None = None, side: Side | None = None
) -> Timeline:
    """Plan one intensity for a while. Without a region the strictest limits of all regions hold.

    Raises PlanRefusedError; it has no file.
    """
    slowest, shortest = strictest_regions()
    max_s, limits = shortest.max_s, _limits(slowest)
    advice = f"No region is named, so the strictest limits hold ({slowest.name}); name one to get its own."
    if region is not None:
        place = _drivable_region(region)
        max_s, limits, advice = place.max_s, _limits(place), ""
        region = place.id
    if not 0 < duration_s <= max_s:
        raise PlanRefusedError(f"{duration_s:g} s is not between 0 and {max_s:g} s.", key="duration", fix=advice)
    device = devices["massager"]
    if region is None or device.is_hand_held:
        channels = tuple(device.channels.values())[: 1 if device.is_hand_held else None]
    else:
        channels = tuple(c for each in ([side] if side else _SIDES) for c in device.channels_at(region, each))
    if not channels:
        raise PlanRefusedError("the device does not reach it.", key=region or "", fix="Name a region that it reaches.")
    try:
        drives = tuple(
            drive
            for channel in channels
            if (drive := _drive(device, channel, limits, Intensity(percent=percent), duration_s, 0.0, "percussion"))
        )
    except TooStrongError as problem:
        raise PlanRefusedError(str(problem), key="intensity", fix=advice) from problem
    if not drives:
        raise PlanRefusedError(f"{percent:g} % is less than its lowest level.", key="intensity", fix="Ask for more.")
    span = Span("work", duration_s, 1, 1, "Hold it where you want it.", region, side, drives=drives)
    return Timeline("set", (span,), _roles(devices))


class _StepPlanner:
    """The spans of one step."""

    def __init__(self, routine: Routine, number: int, step: Step, devices: Devices) -> None:
        self._routine = routine
        self._number = number
        self._step = step
        self._line = routine.line(number)
        self._timer = devices.get("timer") if "timer" in step.roles else None
        self._massager = devices.get("massager") if "massager" in step.roles else None
        found = find_region(step.region) if step.region is not None else None
        self._region = found if isinstance(found, Region) else None
        self._intensity = parse_intensity(step.intensity)
        self._duration_s = self._duration()

    def spans(self, before: Span | None) -> list[Span]:
        """Move, work and rest for each side, after the span ``before``."""
        found: list[Span] = []
        for work in self._works():
            same_place = before is not None and before.place == work.place and before.region is not None
            if self._region is not None and not same_place and self._needs_moving(work):
                found.append(self._move(work, self._region))
            found.append(work)
            before = work
        if self._step.rest:
            rest = self._span("rest", self._step.rest, None, "Rest, and breathe calmly.")
            found.append(rest)
        return found

    def _works(self) -> list[Span]:
        step = self._step
        if self._region is None or step.side is None:
            kind = "rest" if step.technique == "rest" else "work"
            return [self._span(kind, self._duration_s, None, step.cue or f"{step.technique.replace('-', ' ')}.")]
        if step.side != "both":
            return [self._work((side,)) for side in (_SIDES if step.side == "each" else (step.side,))]
        device = self._massager
        if device is not None and not device.is_hand_held:
            together = self._work(_SIDES)
            if together.drives:
                return [together]
        note = "both sides at once is not possible here: one after the other."
        return [replace(work, note=f"{work.note} {note}".strip()) for work in map(self._work, zip(_SIDES))]

    def _work(self, sides: tuple[Side, ...]) -> Span:
        """Work on one side, or on both at once, driven where that can be."""
        region, step = self._region, self._step
        if region is None:
            raise AssertionError("work without a region is planned elsewhere")
        drives, note = self._drives(region, sides)
        span = self._span("work", self._duration_s, sides[0] if len(sides) == 1 else None, step.cue or region.how)
        return replace(span, drives=drives, note=note)

    def _drives(self, region: Region, sides: tuple[Side, ...]) -> tuple[tuple[Drive, ...], str]:
        """What the massager does, or why it is done by hand."""
        step, device = self._step, self._massager
        if device is None:
            return (), ""
        if not region.drivable:
            return (), f"By hand: {region.why_not}"
        if step.technique not in DRIVEN_TECHNIQUES:
            return (), f"By hand: {step.technique.replace('-', ' ')}."
        if step.tool not in {None, "massage-gun", "none"}:
            return (), f"By hand, with {str(step.tool).replace('-', ' ')}."
        reached = [device.channels_at(region.id, side) for side in sides]
        if not all(reached):
            return (), "By hand: the device does not reach it."
        try:
            drives = [
                _drive(device, c, _limits(region), self._intensity, self._duration_s, step.ramp, step.technique)
                for channels in reached
                for c in channels
            ]
        except TooStrongError as problem:
            raise self._refused(str(problem), "intensity", "Lower it, or write gentle, moderate or firm.") from problem
        if None in drives:
            return (), "By hand: even the lowest level of the device is more than was asked for or may be here."
        note = ""
        if next(iter(device.channels.values())).levels.is_switch:
            note = (
                f"It is only switched on and off: set its strength by hand, gently, never above {region.cap_ppm} ppm."
            )
        return tuple(drive for drive in drives if drive is not None), note

    def _needs_moving(self, work: Span) -> bool:
        """A zoned device is where it should be; a hand or a hand-held device is not."""
        return not work.drives or (self._massager is not None and self._massager.is_hand_held)

    def _move(self, work: Span, region: Region) -> Span:
        side = f"{work.side} " if work.side else ""
        position = f" Position: {self._step.position.replace('-', ' ')}." if self._step.position else ""
        first = f" {region.check_first}" if region.check_first else ""
        cue = f"{side}{region.name}. {region.landmark}{position}{first} Keep off: {', '.join(region.avoid)}."
        move_s = MOVE_S if self._step.move is None else self._step.move
        return replace(self._span("move", move_s, work.side, cue[0].upper() + cue[1:]), signals=())

    def _span(self, kind: str, duration_s: float, side: Side | None, cue: str) -> Span:
        step, region = self._step, self._region
        return Span(
            kind="rest" if kind == "rest" else "move" if kind == "move" else "work",
            duration_s=duration_s,
            step=self._number + 1,
            line=self._line,
            cue=cue,
            region=region.id if region is not None and kind != "rest" else None,
            side=side,
            technique=step.technique if kind == "work" else None,
            position=step.position,
            tool=step.tool,
            signals=_signal(self._timer, duration_s),
        )

    def _duration(self) -> float:
        step, region = self._step, self._region
        if region is None or step.technique in NEEDS_NO_PLACE:
            return step.duration if step.duration is not None else (region.default_s if region else 0.0)
        duration_s = region.default_s if step.duration is None else step.duration
        if duration_s > region.max_s:
            what = f"{duration_s:g} s is more than the {region.max_s:g} s that {region.name} bears."
            raise self._refused(what, "duration", "Shorten it.")
        return duration_s

    def _refused(self, what: str, key: str, fix: str) -> PlanRefusedError:
        line = self._routine.line(self._number, key)
        return PlanRefusedError(
            what, path=self._routine.path, line=line, key=dotted(("steps", self._number, key)), fix=fix
        )


def _drive(
    device: Capabilities,
    channel: Channel,
    limits: Limits,
    intensity: Intensity,
    duration_s: float,
    ramp_s: float,
    technique: str,
) -> Drive | None:
    """What one channel does; None when it has no level that is low enough. Raises TooStrongError."""
    levels = channel.levels
    if levels.is_switch:
        on = levels.full
        return Drive("massager", channel.name, levels, ((0.0, on),), on, on, device.cap_reason)
    cap_percent, reason = limits.cap(device, channel)
    cap = levels.not_above(cap_percent)
    gentle = min(levels.not_above(levels.percent_of_ppm(limits.gentle_ppm)) or levels.lowest, cap)
    if intensity.word is not None:
        between = levels.not_above((levels.percent(gentle) + levels.percent(cap)) / 2)
        target = {"gentle": gentle, "moderate": max(between, gentle), "firm": cap}[intensity.word]
    else:
        asked = intensity.percent if intensity.percent is not None else levels.percent_of_ppm(intensity.ppm or 0)
        if asked > cap_percent + _ROUNDING:
            asked_ppm, cap_ppm = (percent * levels.ppm(levels.full) / 100 for percent in (asked, cap_percent))
            cap_text = f"{cap_percent:g} % ({cap_ppm:.0f} ppm)"
            raise TooStrongError(f"{intensity} ({asked_ppm:.0f} ppm) is above the cap of {cap_text}: {reason}.")
        target = levels.not_above(asked)
    if cap < levels.lowest or target == OFF:
        return None
    targets = _targets(channel, target, gentle, duration_s, technique)
    return Drive("massager", channel.name, levels, targets, gentle, cap, reason, ramp_s)


def _targets(
    channel: Channel, target: Level, gentle: Level, duration_s: float, technique: str
) -> tuple[tuple[float, Level], ...]:
    """One level for strokes; for sustained pressure, equal parts that rise up to it."""
    if technique not in {"hold", "pressure-and-release"}:
        return ((0.0, target),)
    levels = channel.levels
    # From gentle up to a stronger target; from three quarters of it up to a gentle one.
    base = levels.percent(gentle) if target > gentle else 0.75 * levels.percent(target)
    top = levels.percent(target)
    rising = [levels.not_above(base + (top - base) * n / (HOLD_STEPS - 1)) for n in range(HOLD_STEPS - 1)] + [target]
    found: list[tuple[float, Level]] = []
    for number, level in enumerate(max(level, levels.lowest) for level in rising):
        if not found or level > found[-1][1]:
            found.append((duration_s * number / HOLD_STEPS if found else 0.0, level))
    return tuple(found)


def _with_extra_time(routine: Routine, spans: list[Span]) -> list[Span]:
    """Check each place's time over the whole routine, and tell each span how much is left there."""
    total_s: dict[tuple[str, str], float] = defaultdict(float)
    for span in spans:
        if not _uses_time(span):
            continue
        region = _region(span)
        for side in span.sides:
            total_s[region.id, side] += span.duration_s
            if total_s[region.id, side] > region.max_s + _ROUNDING:
                what = f"{side} {region.name} gets {total_s[region.id, side]:g} s in all; it bears {region.max_s:g} s."
                key = dotted(("steps", span.step - 1))
                raise PlanRefusedError(
                    what, path=routine.path, line=span.line, key=key, fix="Shorten the steps there, or leave one out."
                )
    return [
        replace(span, extra_max_s=min(_region(span).max_s - total_s[_region(span).id, side] for side in span.sides))
        if _uses_time(span)
        else span
        for span in spans
    ]


def _uses_time(span: Span) -> bool:
    return span.kind == "work" and span.region is not None and span.technique not in NEEDS_NO_PLACE


def _region(span: Span) -> Region:
    found = find_region(span.region or "")
    if not isinstance(found, Region):
        raise AssertionError(f"{span.region} was checked when the routine was loaded")
    return found


def _drivable_region(name: str) -> Region:
    match find_region(name):
        case Refusal(reason=reason):
            raise PlanRefusedError(f"is refused. {reason}", key=name, fix="Name a muscle nearby.")
        case UnknownRegion(advice=advice):
            raise PlanRefusedError("is no region.", key=name, fix=advice)
        case Region() as region if not region.drivable:
            raise PlanRefusedError(f"is never driven. {region.why_not}", key=name, fix="Use your hands.")
        case Region() as region:
            return region


def _limits(region: Region) -> Limits:
    return Limits(region.name, region.gentle_ppm or 0, region.cap_ppm or 0)


def _signal(timer: Capabilities | None, duration_s: float) -> tuple[Cue, ...]:
    """One pulse of the timer's lamp or buzzer at the start of a span."""
    return () if timer is None else _pulse(timer, 0.0, duration_s)


def _with_final_signal(spans: list[Span], devices: Devices) -> list[Span]:
    """Two more pulses at the very end."""
    timer = devices.get("timer")
    if timer is None or not spans or spans[-1].duration_s < 6 * PULSE_S:
        return spans
    end_s = spans[-1].duration_s
    pulses = _pulse(timer, end_s - 3 * PULSE_S, end_s) + _pulse(timer, end_s - PULSE_S, end_s)
    return [*spans[:-1], replace(spans[-1], signals=spans[-1].signals + pulses)]


def _pulse(timer: Capabilities, at_s: float, end_s: float) -> tuple[Cue, Cue]:
    channel = next(iter(timer.channels.values()))
    on = Cue(at_s, "timer", SetLevel(channel.name, channel.levels.lowest))
    return on, Cue(min(at_s + PULSE_S, end_s), "timer", SetLevel(channel.name, OFF))


def _roles(devices: Devices) -> tuple[Role, ...]:
    return tuple(sorted(devices))
