"""Timers that go along with a session: what is written to them, by the events of the session alone."""

import asyncio
from collections.abc import Sequence

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
from controller.timekeeping import OwnTimer, RoutineTimer
from firmware_profiles.commands import Interval
from tests.helpers.manual_clock import ManualClock
from tests.helpers.profile_text import profile_from
from tests.helpers.scripted_transport import ScriptedTransport

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
    assert await bench.hear(timer, over(60.0), WORK) == [], "it counts on by itself"
    assert await bench.hear(timer, over(60.4), WORK) == []
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
    assert await bench.hear(timer, over(20.0), WORK) == ["LR10;", "S;"]
    bench.left = (Interval(25, is_rest=True),)
    assert await bench.hear(timer, SpanExtended(15.0)) == ["LR25;", "S;"]
    assert await bench.hear(timer, over(75.0), WORK) == [], "as long as it was extended to"


async def test_a_timer_holds_while_a_key_is_waited_for_and_gets_the_rest_after_it() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    assert await bench.hear(timer, KeyAwaited("move")) == ["P;"]
    bench.left = (Interval(60),)
    assert await bench.hear(timer, over(95.0), WORK) == ["L60;", "S;"]


async def test_a_timer_with_only_keys_starts_and_resets() -> None:
    bench = await Bench(KEYS).opened()
    timer = following(bench)
    assert await bench.hear(timer, WORK, SessionPaused(), over(60.0), WORK) == ["S;"]
    assert await bench.hear(timer, ENDED) == ["R;"]


async def test_a_timer_that_fails_is_told_once_and_is_left_alone() -> None:
    bench = await Bench(WHOLE).opened()
    timer = following(bench)
    await bench.hear(timer, WORK)
    bench.link.drop()
    assert await bench.hear(timer, SessionPaused(), SessionResumed(), ENDED) == []
    assert [type(event) for event in bench.events].count(TimerFailed) == 1


async def test_what_comes_later_takes_the_place_of_what_still_waits() -> None:
    bench = await Bench(WHOLE).opened()
    bench.link.acknowledges = True
    timer = following(bench)
    timer.hear(WORK)
    timer.hear(SessionPaused())
    for _ in range(20):
        await asyncio.sleep(0)
    assert [frame.decode() for frame in bench.link.frames] == ["P;"], "no schedule behind the pause"


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


async def test_an_off_timer_that_is_too_short_for_the_session_is_left_alone() -> None:
    bench = await Bench(MASSAGER, roles='["massager"]').opened()
    timer = OwnTimer(bench.device, lambda: bench.left, bench.events.append)
    bench.left = (Interval(1141),)  # with its margin 1201 s
    assert await bench.hear(timer, LevelAsked("it", "motor", 3, 33.0, 800)) == []
