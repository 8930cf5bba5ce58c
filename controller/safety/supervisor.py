"""The one gate in front of every device: what may run where, how strongly, how fast it may rise and for how long.

It trusts no plan. Every limit is worked out anew for each command, from the place, the device, its profile and the
bounds of the day; the tightest wins and says why. Nothing loosens a limit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from controller.clock import Clock
from controller.devices import Device
from controller.errors import DeviceFaultError, RefusedError
from controller.safety import latch
from controller.safety.lease import Lease
from firmware_profiles.capabilities import Capabilities, Channel, Place, Role, Side
from firmware_profiles.commands import SetLevel, Status, Stop
from firmware_profiles.units import Level
from routines.bounds import Bound, least_left_s, least_session_s, refusal
from routines.limits import full_ppm, strength, tightest_cap
from routines.regions import Region, regions, strictest_regions
from routines.schema import SESSION_MAX_S, Intensity
from routines.timeline import RISE_HOLD_S, RISE_PPM, SOFT_START_HOLD_S, Cue, Drive, Span, Timeline

EXTRA_S = 15.0
"""What one press of "extra time" adds."""

CHANGE_PERCENT = 5.0
"""What one press of "stronger" or "softer" changes, in percent of full scale: 120 ppm of 2400."""

EARLY_S = 0.1
"""How much sooner than the rule a rise may come, in the session's seconds: the one before may have been late."""

BATTERY_MIN_PCT = 5.0
"""Below it nothing runs: a radio that browns out before its motor cannot be stopped. Own choice."""

TEMPERATURE_MAX_C = 60.0
"""Above it nothing runs: metal of 60 °C burns within seconds of touching it (ISO 13732-1). Own choice."""

FORCE_MAX_N = 60.0
"""Above it nothing runs: about the weight of six kilograms on one spot. Own choice; no bundled profile reports it."""


class Supervisor:
    """Counts what is driven in one session and says what may still be. ``bounds`` are those of the day."""

    def __init__(
        self, timeline: Timeline, devices: Mapping[Role, Device], bounds: Sequence[Bound], clock: Clock
    ) -> None:
        self.lease = Lease(clock)
        self._devices = devices
        self._bounds = {
            role: tuple(bound for bound in bounds if bound.device in {None, device.name})
            for role, device in devices.items()
        }
        self._session_max_s, _ = least_session_s(bounds, SESSION_MAX_S, "")
        self._clock = clock
        self._session_s = 0.0
        self._place_s: dict[str, float] = defaultdict(float)
        self._place_max_s = self._times(timeline, bounds)
        self._rises: dict[tuple[Role, str], float] = {}

    def renew(self) -> None:
        """Let the motor run on for the time of a lease. Raises RefusedError while the emergency stop is in."""
        latch.require_clear()
        self.lease.renew()

    def check(self, span: Span, cue: Cue, level: Level) -> None:
        """Let a command through to a channel that runs at ``level``.

        Raises RefusedError, with the reason, for a level above a cap, a step too big or too soon, a place that is not
        driven, a channel that has no part here, a device that is not heard, and without permission.
        """
        command = cue.command
        if isinstance(command, Stop) or command.level == 0:
            return
        if cue.role == "timer" and any(signal.command == command for signal in span.signals):
            return
        latch.require_clear()
        if not self.lease.is_valid:
            raise RefusedError("the permission to run has run out.", where=span.place)
        drive = next((d for d in span.drives if (d.role, d.channel) == (cue.role, command.channel)), None)
        if drive is None:
            raise RefusedError(f"channel {command.channel} has no part in this step.", where=span.place)
        if command.level > drive.cap_level:
            what = f"level {command.level} is above {drive.cap_level}: {drive.cap_reason}."
            raise RefusedError(what, where=span.place)
        channel = self._devices[cue.role].capabilities.channels[command.channel]
        place = _place_of(span, drive, channel)
        for anywhere in dict.fromkeys((place, *self._held_places(span, cue.role))):
            self._check_level(span, cue.role, command, anywhere)
        if command.level > level:
            self._check_rise(span, cue.role, command, level, place)
            self._rises[cue.role, command.channel] = self._clock.now()

    def sent(self, cue: Cue) -> None:
        """Count a rise from when it was written; between the check and that a command may have had to wait."""
        if isinstance(cue.command, SetLevel) and (key := (cue.role, cue.command.channel)) in self._rises:
            self._rises[key] = max(self._rises[key], self._clock.now())

    def judge(self, device: Device, status: Status) -> None:
        """Say whether a device may go on, by what it reports. Raises DeviceFaultError."""
        if status.battery_pct is not None and status.battery_pct < BATTERY_MIN_PCT:
            what = f"its battery is almost empty ({status.battery_pct:.0f} %; the least is {BATTERY_MIN_PCT:.0f} %)."
            raise DeviceFaultError(what, where=device.name, fix="Charge it first.")
        if status.temperature_c is not None and status.temperature_c > TEMPERATURE_MAX_C:
            what = f"it is too hot ({status.temperature_c:.0f} °C; the most is {TEMPERATURE_MAX_C:.0f} °C)."
            raise DeviceFaultError(what, where=device.name, fix="Put it down and let it cool.")
        if status.force_n is not None and status.force_n > FORCE_MAX_N:
            what = f"it is pressed too hard ({status.force_n:.0f} N; the most is {FORCE_MAX_N:.0f} N)."
            raise DeviceFaultError(what, where=device.name, fix="Let its own weight do the work.")
        if status.stalled:
            raise DeviceFaultError(
                "its motor is blocked.", where=device.name, fix="Press less, and look what blocks it."
            )

    def allowed_s(self, span: Span) -> float:
        """How many seconds a place may be driven now, after all that was driven before. Never below 0."""
        place_left_s = min(self._place_max_s[place] - self._place_s[place] for place, _, _ in _counted(span))
        return max(0.0, min(place_left_s, self._session_max_s - self._session_s))

    def count(self, span: Span, driven_s: float) -> None:
        """Add what was driven."""
        self._session_s += driven_s
        for place, _, _ in _counted(span):
            self._place_s[place] += driven_s

    def change(self, span: Span, change_percent: float, step_percent: float) -> float:
        """The person's change of intensity after one more step. Raises RefusedError when it would change nothing."""
        goals = [
            (drive, drive.goal(target, change_percent), drive.goal(target, change_percent + step_percent))
            for drive in span.drives
            for _, target in drive.targets
            if target
        ]
        if not goals:
            raise RefusedError("nothing is driven in this step.", where=span.place)
        if all(before == after for _, before, after in goals):
            drive = goals[0][0]
            if step_percent < 0:
                raise RefusedError("this is the lowest level; pause or stop instead.", where=span.place)
            raise RefusedError(f"no stronger than {drive.cap_level} here: {drive.cap_reason}.", where=span.place)
        return change_percent + step_percent

    def _held_places(self, span: Span, role: Role) -> list[Place | None]:
        """Where a device may be too: what is held in the other hand may be held the other way round."""
        if not self._devices[role].capabilities.is_hand_held:
            return []
        driven = [(each, self._devices[each.role].capabilities) for each in span.drives if each.role in self._devices]
        return [_place_of(span, each, by.channels[each.channel]) for each, by in driven if by.is_hand_held]

    def _check_level(self, span: Span, role: Role, command: SetLevel, place: Place | None) -> None:
        device = self._devices[role].capabilities
        channel = device.channels[command.channel]
        planned = None if place is None else place.region
        sides = _sides(place, channel)
        # Where the plan says that it works, and where the zone really is: the tighter of both holds.
        for name in dict.fromkeys((planned, channel.region or planned)):
            region = None if name is None else regions()[name]
            if region is not None and not region.drivable:
                raise RefusedError(f"is never driven: {region.why_not}.", where=span.place)
            if (bound := refusal(self._bounds[role], name, sides)) is not None:
                raise RefusedError(f"is left alone today: {bound.reason}.", where=span.place)
            if channel.levels.is_switch:
                continue  # it has no strength; the person sets it
            cap = tightest_cap(region, sides, device, channel.levels, self._bounds[role])
            most = channel.levels.not_above(channel.levels.percent_of_ppm(cap.ppm))
            if command.level > most:
                raise RefusedError(f"level {command.level} is above {most}: {cap.reason}.", where=span.place)

    def _check_rise(self, span: Span, role: Role, command: SetLevel, level: Level, place: Place | None) -> None:
        device = self._devices[role]
        levels = device.capabilities.channels[command.channel].levels
        rise_ppm = levels.percent(command.level - level) * full_ppm(levels) / 100
        is_next = not any(levels.accepts(between) for between in range(level + 1, command.level))
        if rise_ppm > RISE_PPM + 1e-6 and not is_next:
            raise RefusedError(f"from {level} to {command.level} is too big a step.", where=span.place)
        if not device.is_heard:
            raise RefusedError("does not say any more what it is doing.", where=device.name)
        if level == 0:
            return
        gentle = self._gentle_level(place, device.capabilities, device.capabilities.channels[command.channel], role)
        hold_s = RISE_HOLD_S if level >= gentle else SOFT_START_HOLD_S
        risen_s = self._clock.now() - self._rises.get((role, command.channel), float("-inf"))
        if risen_s < hold_s - EARLY_S:
            what = f"from {level} to {command.level} after {risen_s:.1f} s is too soon; it takes {hold_s:g} s."
            raise RefusedError(what, where=span.place)

    def _gentle_level(self, place: Place | None, device: Capabilities, channel: Channel, role: Role) -> Level:
        region = None if place is None else regions()[place.region]
        wanted = strength(
            Intensity(word="gentle"), region, _sides(place, channel), device, channel.levels, self._bounds[role]
        )
        return channel.levels.not_above(channel.levels.percent_of_ppm(wanted.gentle_ppm))

    @staticmethod
    def _times(timeline: Timeline, bounds: Sequence[Bound]) -> dict[str, float]:
        """How long each place may be driven: what the plan says and may be lengthened to, and never above its limit."""
        planned_s: dict[str, float] = defaultdict(float)
        driven = [span for span in timeline.spans if span.drives]
        for span in driven:
            for place, _, _ in _counted(span):
                planned_s[place] += span.duration_s
        for place, extra_s in {place: span.extra_max_s for span in driven for place, _, _ in _counted(span)}.items():
            planned_s[place] += extra_s
        for span in driven:
            for place, name, side in _counted(span):
                region: Region = regions()[name] if name else strictest_regions()[1]
                left_s, _ = least_left_s(bounds, name, side)
                planned_s[place] = min(planned_s[place], region.max_s, left_s)
        return planned_s


def _counted(span: Span) -> tuple[tuple[str, str | None, Side | None], ...]:
    """What is counted apart, with its region and side: each side of each place, or the one place without a name."""
    sides = tuple((f"{side} {place.region}", place.region, side) for place in span.places for side in place.sides)
    return sides or ((span.place, None, None),)


def _place_of(span: Span, drive: Drive, channel: Channel) -> Place | None:
    """Where a channel works in this span; None where the span has no place. Raises RefusedError for one elsewhere."""
    place = drive.place or next(iter(span.places), None)
    if place is None:
        return None
    counted = {(region, side) for _, region, side in _counted(span)}
    if any((place.region, side) not in counted for side in place.sides):
        raise RefusedError(f"channel {channel.name} has no part at the {place} in this step.", where=span.place)
    return place


def _sides(place: Place | None, channel: Channel) -> tuple[Side | None, ...]:
    if channel.side is not None:
        return (channel.side,)
    return place.sides if place is not None else ()
