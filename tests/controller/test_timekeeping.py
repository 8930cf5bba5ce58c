"""Timers that go along with a session: what is written to them, by the events of the session alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from controller.devices import Device
from controller.events import (
    Event,
    KeyAwaited,
    LevelAsked,
    OwnTimerSet,
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SpanEnded,
    SpanExtended,
    SpanStarted,
    TimerFailed,
)
from controller.timekeeping import OwnTimer, RoutineTimer, SideWriter, foretell
from firmware_profiles.commands import Interval, PauseTimer, StartTimer
from firmware_profiles.library import find_profile
from routines.planner import plan
from tests.helpers.manual_clock import ManualClock
from tests.helpers.profile_text import profile_from
from tests.helpers.scripted_transport import ScriptedTransport
from tests.routines.devices import routine, step

WHOLE = """
[lookups.mark]
true = "'R'"
false = ""
[commands.load_schedule]
frames = ["'L' each interval by ',' ( {rest:mark}{seconds:dec} ) ';'"]
[commands.start_timer]
frames = ["'S;'"]
[commands.pause_timer]
frames = ["'P;'"]
[commands.reset_timer]
frames = ["'R;'"]
"""

KEYS = """
[commands.start_timer]
frames = ["'S;'"]
[commands.reset_timer]
frames = ["'R;'"]
"""

MASSAGER = """
[level]
unit = "level"
full = 9
[channels.motor]
[commands.set_level]
frames = ["A0 {level:u8}"]
[commands.stop]
frames = ["A0 00"]
[timer]
choices_s = [600, 1200]
[commands.set_timer]
frames = ["D7 {timer_s:u16be}"]
"""

WORK = SpanStarted(0, "work", 60.0, "calves", "left", "", True, "", 0.0)
NEXT = replace(WORK, index=1)
THIRD = replace(WORK, index=2)
ENDED = SessionEnded("done", "", 0.0)


def over(elapsed_s: float) -> SpanEnded:
    return SpanEnded(0, "calves", "left", True, elapsed_s, 0.0)


class Bench:
    """A timer on a scripted link; ``left`` is what the session says is left."""

    def __init__(self, text: str, roles: str = '["timer"]') -> None:
        self.link = ScriptedTransport(ManualClock())
        self.events: list[Event] = []
        self.left: Sequence[Interval] = (Interval(60), Interval(10, is_rest=True))
        profile = profile_from(text, roles=roles)
        self.device = Device("it", profile, self.link, clock=ManualClock(), emit=self.events.append)

    async def opened(self) -> "Bench":
        await self.device.open()
        return self

    async def hear(self, timer: RoutineTimer | OwnTimer, *events: Event) -> list[str]:
        """What is written when these events come."""
        before = len(self.link.frames)
        for event in events:
            timer.hear(event)
            for _ in range(20):
                await asyncio.sleep(0)
        return [frame.decode("latin-1") for frame in self.link.frames[before:]]


def following(bench: Bench) -> RoutineTimer:
    return RoutineTimer(bench.device, lambda: bench.left, bench.events.append)


async def test_a_timer_gets_the_whole_schedule_and_starts_with_the_first_step() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    assert await bench.hear(timer, WORK) == ["L60,R10;", "S;"]
    assert await bench.hear(timer, over(60.0), NEXT) == [], "it counts on by itself"
    assert await bench.hear(timer, over(59.6), THIRD) == []
    assert await bench.hear(timer, ENDED) == ["R;"]


async def test_a_timer_pauses_and_goes_on_with_the_session() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    assert await bench.hear(timer, SessionPaused()) == ["P;"]
    assert await bench.hear(timer, SessionResumed()) == ["S;"]


async def test_a_step_that_is_skipped_or_gets_more_time_loads_what_is_left() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    bench.left = (Interval(10, is_rest=True),)
    assert await bench.hear(timer, over(20.0), NEXT) == ["LR10;", "S;"]
    bench.left = (Interval(25, is_rest=True),)
    assert await bench.hear(timer, SpanExtended(15.0)) == ["LR25;", "S;"]
    assert await bench.hear(timer, over(75.0), THIRD) == [], "as long as it was extended to"


async def test_a_timer_holds_while_a_key_is_waited_for_and_gets_the_rest_after_it() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    assert await bench.hear(timer, KeyAwaited("move")) == ["P;"]
    bench.left = (Interval(60),)
    assert await bench.hear(timer, over(60.0), NEXT) == ["L60;", "S;"], "a step counts no longer than it is planned"


async def test_a_timer_with_only_keys_starts_and_resets() -> None:
    bench = await Bench(KEYS).opened()
    timer = following(bench)
    assert await bench.hear(timer, WORK, SessionPaused(), SessionResumed(), over(60.0), NEXT) == ["S;"]
    assert await bench.hear(timer, ENDED) == ["R;"]


async def test_a_timer_whose_keys_can_pause_it_pauses_and_goes_on_and_is_not_started_twice() -> None:
    bench = await Bench(KEYS + "[commands.pause_timer]\nframes = [\"'P;'\"]\n").opened()
    timer = following(bench)
    assert await bench.hear(timer, WORK, SessionPaused(), SessionResumed()) == ["S;", "P;", "S;"]
    assert await bench.hear(timer, over(20.0), NEXT, SpanExtended(15.0)) == [], "it counts already"


async def test_a_schedule_that_was_loaded_beforehand_is_only_started() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await timer.prepare()
    assert [frame.decode() for frame in bench.link.frames] == ["L60,R10;"]
    assert await bench.hear(timer, WORK) == ["S;"]
    assert await bench.hear(timer, over(60.0), NEXT) == []


async def test_going_back_loads_what_is_left_however_late_in_its_step() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK, over(60.0), NEXT)
    assert await bench.hear(timer, over(59.5), WORK) == ["L60,R10;", "S;"]


async def test_a_step_that_was_left_out_loads_what_is_left() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    bench.left = (Interval(60),)
    assert await bench.hear(timer, over(60.0), THIRD) == ["L60;", "S;"]


async def test_a_pause_at_the_very_end_of_a_step_that_is_skipped_does_not_hold_the_timer_for_ever() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK, SessionPaused())
    assert await bench.hear(timer, over(59.5), NEXT) == ["S;"]


async def test_extra_time_in_a_pause_is_loaded_when_the_session_goes_on() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK, SessionPaused())
    bench.left = (Interval(75),)
    assert await bench.hear(timer, SpanExtended(15.0)) == []
    assert await bench.hear(timer, SessionResumed()) == ["L75;", "S;"]


async def test_a_schedule_that_a_pause_overtook_is_loaded_after_it() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    timer.hear(WORK)
    assert await bench.hear(timer, SessionPaused()) == ["P;"], "no schedule behind the pause"
    assert await bench.hear(timer, SessionResumed()) == ["L60,R10;", "S;"]


async def test_nothing_old_follows_once_it_is_to_be_forgotten() -> None:
    bench = await Bench(WHOLE).opened()
    writer = SideWriter(bench.device, bench.events.append)
    before = list(bench.link.frames)
    writer.write(PauseTimer(), StartTimer())
    writer.forget()
    await writer.finish()
    assert bench.link.frames == before


async def test_a_timer_that_fails_is_told_once_and_is_left_alone() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    bench.link.drop()
    assert await bench.hear(timer, SessionPaused(), SessionResumed(), ENDED) == []
    assert [type(event) for event in bench.events].count(TimerFailed) == 1


async def test_a_massager_is_told_to_switch_itself_off_once_it_runs() -> None:
    bench = await Bench(MASSAGER, roles='["massager"]').opened()
    timer = OwnTimer(bench.device, lambda: bench.left, bench.events.append)
    bench.left = (Interval(541),)  # 541 + 60 s of margin is more than 600
    assert await bench.hear(timer, WORK) == [], "not before it runs: nothing may start by it"
    first = LevelAsked("it", "motor", 3, 33.0, 800)
    assert await bench.hear(timer, first) == [bytes.fromhex("D7 04 B0").decode("latin-1")]  # 1200 = 04B0
    assert OwnTimerSet("it", 1200) in bench.events
    assert await bench.hear(timer, first) == [], "once"


async def test_after_a_pause_the_off_timer_is_set_anew() -> None:
    bench = await Bench(MASSAGER, roles='["massager"]').opened()
    timer = OwnTimer(bench.device, lambda: bench.left, bench.events.append)
    first = LevelAsked("it", "motor", 3, 33.0, 800)
    bench.left = (Interval(700),)
    await bench.hear(timer, first, SessionPaused())
    bench.left = (Interval(500),)
    assert await bench.hear(timer, SessionResumed(), first) == [bytes.fromhex("D7 02 58").decode("latin-1")]  # 600


async def test_going_back_sets_the_off_timer_anew() -> None:
    bench = await Bench(MASSAGER, roles='["massager"]').opened()
    timer = OwnTimer(bench.device, lambda: bench.left, bench.events.append)
    first = LevelAsked("it", "motor", 3, 33.0, 800)
    await bench.hear(timer, WORK, first)
    bench.left = (Interval(600),)
    assert await bench.hear(timer, over(60.0), NEXT, first) == [], "on the way it has what it needs"
    assert await bench.hear(timer, over(5.0), WORK, first) == [bytes.fromhex("D7 04 B0").decode("latin-1")]  # 1200


async def test_an_off_timer_that_is_too_short_for_the_session_is_left_alone_and_that_is_told_once() -> None:
    bench = await Bench(MASSAGER, roles='["massager"]').opened()
    timer = OwnTimer(bench.device, lambda: bench.left, bench.events.append)
    first = LevelAsked("it", "motor", 3, 33.0, 800)
    bench.left = (Interval(1141),)  # with its margin 1201 s
    assert await bench.hear(timer, first, SessionPaused(), first) == []
    told = [event for event in bench.events if isinstance(event, TimerFailed)]
    assert len(told) == 1
    assert "1200 s at most" in told[0].reason
    bench.left = (Interval(1140),)
    assert await bench.hear(timer, SessionPaused(), first) == [bytes.fromhex("D7 04 B0").decode("latin-1")], "now it is"


# ---- what a plan says of them -------------------------------------------------------------------------------------


def foretold(duration_s: float, side: str = "left", **roles: str) -> list[str]:
    profiles = {role: find_profile(profile) for role, profile in roles.items()}
    lines = step("calves", duration=duration_s, side=side, intensity="gentle", technique="percussion")
    devices = {role: profile.capabilities() for role, profile in profiles.items()}
    return foretell(plan(routine(lines), devices), profiles)  # type: ignore[arg-type]


def test_a_plan_says_what_each_kind_of_timer_will_do() -> None:
    assert foretold(45, timer="gymnext-flex") == [
        "GymNext Flex Timer: shows the whole routine, 2 intervals, starts with the first step, "
        "pauses and goes on with you, is reset at the end."
    ]
    assert foretold(45, timer="rogue-echo-timer")[0].endswith(": starts with the first step, is reset at the end.")
    assert "three-two-one" in foretold(45, timer="lcus-relay")[0]
    assert foretold(45, massager="theragun-gen4") == []


def test_a_plan_says_when_a_bed_would_switch_itself_off() -> None:
    # 45 s and the margin of a minute: the shortest of its times is ten minutes.
    assert foretold(45, "both", massager="bedtech")[0].endswith(
        "is told to switch itself off after 600 s, if nobody else does."
    )


def test_a_plan_says_of_a_lamp_that_has_no_part_in_it() -> None:
    profiles = {"timer": find_profile("lcus-relay")}
    alone = plan(routine(step() + '\nroles = ["massager"]'), {"timer": profiles["timer"].capabilities()})
    assert foretell(alone, profiles) == [f"{profiles['timer'].name}: has no part in this routine."]  # type: ignore[arg-type]
