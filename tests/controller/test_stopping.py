"""Stop on a link that does what a test says: what is written, how often, and what counts as proof."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from controller.errors import DeviceFaultError, DeviceNotFoundError, LinkLostError
from controller.stopping import BLIND_STOPS, STOP_BUDGET_S, STOP_REPEAT_S, Stopper, StopResult
from firmware_profiles.commands import Write
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedTransport

FIRST, SECOND, ASK = b"stop one", b"stop two", b"how are you"
STOP = (Write(FIRST, with_response=True), Write(SECOND, with_response=True))


class Motor:
    """A device in a dozen lines: it needs both frames, ``deaf_to`` stops pass it by, and it answers when asked."""

    def __init__(self) -> None:
        self.runs = True
        self.deaf_to = 0
        self.is_silent = False
        self._heard_first = False

    def __call__(self, frame: bytes) -> list[bytes]:
        if frame == FIRST:
            self._heard_first = self.deaf_to == 0
            self.deaf_to = max(0, self.deaf_to - 1)
        elif frame == SECOND and self._heard_first:
            self.runs = False
        if frame == ASK and not self.is_silent:
            return [b"I run" if self.runs else b"at rest"]
        return []


class FailingTransport(ScriptedTransport):
    """Frames in ``fails`` raise, whatever the error; frames in ``hangs`` are never acknowledged."""

    def __init__(self, clock: ManualClock, answer: Callable[[bytes], list[bytes]]) -> None:
        super().__init__(clock, answer)
        self.fails: dict[bytes, Exception] = {}
        self.hangs: set[bytes] = set()

    async def write(self, data: bytes, *, with_response: bool) -> None:
        if problem := self.fails.get(data):
            raise problem
        if data in self.hangs and with_response:
            await asyncio.get_running_loop().create_future()  # for ever
        await super().write(data, with_response=with_response)


class Bench:
    """A stopper on a link, with the motor running."""

    def __init__(self, *, can_report: bool = True, speed: float = 1.0) -> None:
        self.clock = ManualClock()
        self.clock.speed = speed
        self.motor = Motor()
        self.link = FailingTransport(self.clock, self.motor)
        ask = (Write(ASK, with_response=True),) if can_report else ()
        self.stopper = Stopper("gun", self.link, stop=STOP, ask=ask, clock=self.clock)

    async def reopen(self) -> None:
        await self.link.open(
            lambda data: self.stopper.hear(is_at_rest=data == b"at rest"),
            lambda _: None,
        )

    async def opened(self) -> "Bench":
        await self.reopen()
        return self

    async def finished(self, stopping: Awaitable[StopResult], *, step_s: float = 0.05) -> StopResult:
        task = asyncio.ensure_future(stopping)
        for _ in range(2000):
            await self.clock.settle()
            if task.done():
                return task.result()
            await self.clock.advance(step_s * self.clock.speed)
        raise AssertionError("it never finished")

    async def stopped(self, budget_s: float = STOP_BUDGET_S) -> StopResult:
        return await self.finished(self.stopper.until_confirmed(self.reopen, budget_s=budget_s))

    @property
    def stops(self) -> list[bytes]:
        return [frame for frame in self.link.frames if frame != ASK]


async def test_a_device_that_says_that_it_rests_is_stopped_once() -> None:
    bench = await Bench().opened()
    assert bench.stopper.can_confirm
    assert await bench.stopped() == StopResult("confirmed", 1)
    assert bench.link.frames == [FIRST, SECOND, ASK]
    assert not bench.motor.runs


async def test_stop_is_repeated_until_the_device_says_that_it_rests() -> None:
    bench = await Bench().opened()
    bench.motor.deaf_to = 4
    assert await bench.stopped() == StopResult("confirmed", 5)
    assert bench.stops == [FIRST, SECOND] * 5
    first = [at_s for at_s, frame, _ in bench.link.log if frame == FIRST]
    gaps = [later - earlier for earlier, later in itertools.pairwise(first)]
    assert gaps == pytest.approx([STOP_REPEAT_S] * 4, abs=0.1)


async def test_a_device_that_still_spins_down_is_asked_again_and_stopped_again() -> None:
    bench = await Bench().opened()
    reports = iter([b"I run"] * 3 + [b"at rest"])
    bench.link.answer = lambda frame: [next(reports)] if frame == ASK else []
    result = await bench.stopped()
    assert result.proof == "confirmed"
    assert bench.link.frames.count(ASK) == 4


async def test_every_frame_of_a_stop_is_tried_even_if_one_fails() -> None:
    bench = await Bench().opened()
    bench.link.fails[FIRST] = DeviceFaultError("refused.")
    with pytest.raises(DeviceFaultError, match="refused"):
        await bench.stopper.write()
    assert bench.link.frames == [SECOND]


async def test_the_last_failure_of_several_is_raised() -> None:
    bench = await Bench().opened()
    bench.link.fails = {FIRST: DeviceFaultError("the first."), SECOND: LinkLostError("the second.")}
    with pytest.raises(LinkLostError, match="the second"):
        await bench.stopper.write()


async def test_whatever_goes_wrong_with_one_frame_the_next_is_tried() -> None:
    bench = await Bench().opened()
    bench.link.fails[FIRST] = ZeroDivisionError("a fault of ours")
    with pytest.raises(DeviceFaultError, match="Stop could not be written"):
        await bench.stopper.write()
    assert bench.link.frames == [SECOND]


async def test_a_stop_that_is_not_acknowledged_is_written_without_waiting_for_it() -> None:
    bench = await Bench().opened()
    bench.link.hangs = {FIRST, SECOND}
    await bench.stopper.write()
    assert [(frame, with_response) for _, frame, with_response in bench.link.log] == [(FIRST, False), (SECOND, False)]


async def test_a_stop_without_acknowledgements_is_confirmed_by_the_status_all_the_same() -> None:
    bench = await Bench().opened()
    bench.link.hangs = {FIRST, SECOND}
    # Stopped by hand: the half second for an acknowledgement is a real one.
    assert await bench.stopper.until_confirmed(bench.reopen) == StopResult("confirmed", 1)


async def test_a_lost_link_is_opened_again_and_gets_stop_first() -> None:
    bench = await Bench().opened()
    bench.link.drop()
    result = await bench.stopped()
    assert result == StopResult("confirmed", 2)
    assert bench.link.opens == 2
    assert bench.link.frames[:2] == [FIRST, SECOND]


async def test_a_link_that_was_never_opened_is_opened() -> None:
    bench = Bench()
    assert await bench.stopped() == StopResult("confirmed", 2)
    assert bench.link.opens == 1


async def test_a_device_out_of_reach_is_tried_until_it_comes_back() -> None:
    bench = await Bench().opened()
    bench.link.drop()
    bench.link.can_open = False
    stopping = asyncio.ensure_future(bench.stopper.until_confirmed(bench.reopen))
    await bench.clock.advance(8.0)
    assert not stopping.done()
    assert bench.link.opens > 10, "every 0.3 s"
    bench.link.can_open = True
    result = await bench.finished(stopping)
    assert result.proof == "confirmed"
    assert not bench.motor.runs


async def test_a_link_that_takes_nothing_twice_is_opened_anew() -> None:
    bench = await Bench().opened()
    bench.link.fails = {FIRST: DeviceFaultError("stuck."), SECOND: DeviceFaultError("stuck.")}
    opens = []

    async def reopen() -> None:
        opens.append(bench.link.frames.copy())
        bench.link.fails.clear()
        await bench.reopen()

    result = await bench.finished(bench.stopper.until_confirmed(reopen))
    assert result == StopResult("confirmed", 3)
    assert opens == [[]]


async def test_a_stop_that_never_works_ends_unconfirmed_when_its_budget_does() -> None:
    bench = await Bench().opened()
    bench.motor.deaf_to = 10_000
    began_s = bench.clock.now()
    result = await bench.stopped()
    assert result.proof == "unconfirmed"
    assert STOP_BUDGET_S <= bench.clock.now() - began_s <= STOP_BUDGET_S + 1.0
    assert result.attempts == bench.link.frames.count(FIRST) >= STOP_BUDGET_S / STOP_REPEAT_S / 2
    assert bench.motor.runs


@pytest.mark.parametrize("budget_s", [0.9, 3.0, 60.0])
async def test_the_budget_is_as_long_as_somebody_says(budget_s: float) -> None:
    bench = Bench()
    bench.link.can_open = False
    began_s = bench.clock.now()
    result = await bench.stopped(budget_s=budget_s)
    assert result.proof == "unconfirmed"
    assert budget_s <= bench.clock.now() - began_s <= budget_s + 0.5


async def test_no_budget_is_no_attempt_and_no_proof() -> None:
    bench = await Bench().opened()
    assert await bench.stopped(budget_s=0.0) == StopResult("unconfirmed", 0)


@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_the_seconds_of_a_stop_are_real_ones_however_fast_the_clock_runs(speed: float) -> None:
    bench = await Bench(speed=speed).opened()
    bench.motor.deaf_to = 10_000
    began_s = bench.clock.now()
    result = await bench.stopped()
    assert result.proof == "unconfirmed"
    assert STOP_BUDGET_S <= (bench.clock.now() - began_s) / speed <= STOP_BUDGET_S + 1.0


async def test_a_device_that_cannot_report_gets_stop_three_times_and_proves_nothing() -> None:
    bench = await Bench(can_report=False).opened()
    assert not bench.stopper.can_confirm
    began_s = bench.clock.now()
    assert await bench.stopped() == StopResult("cannot_report", BLIND_STOPS)
    assert bench.link.frames == [FIRST, SECOND] * 3
    assert bench.clock.now() - began_s == pytest.approx(2 * STOP_REPEAT_S, abs=0.06)


@pytest.mark.parametrize("gone_s", [0.0, 2.0])
async def test_a_device_that_cannot_report_gets_stop_three_times_also_after_its_link_came_back(gone_s: float) -> None:
    bench = Bench(can_report=False)
    bench.link.can_open = False
    stopping = asyncio.ensure_future(bench.stopper.until_confirmed(bench.reopen))
    await bench.clock.advance(gone_s)
    bench.link.can_open = True
    result = await bench.finished(stopping)
    assert result.proof == "cannot_report"
    assert bench.link.frames == [FIRST, SECOND] * 3


async def test_a_device_that_cannot_report_and_takes_nothing_is_unconfirmed() -> None:
    bench = Bench(can_report=False)
    bench.link.can_open = False
    result = await bench.stopped()
    assert result.proof == "unconfirmed"


async def test_rest_that_was_reported_before_does_not_confirm_a_stop() -> None:
    bench = await Bench().opened()
    bench.stopper.hear(is_at_rest=True)
    bench.motor.is_silent = True
    result = await bench.stopped(budget_s=2.0)
    assert result.proof == "unconfirmed"


async def test_rest_that_is_reported_without_being_asked_confirms_it() -> None:
    bench = await Bench().opened()
    bench.motor.is_silent = True
    stopping = asyncio.ensure_future(bench.stopper.until_confirmed(bench.reopen))
    await bench.clock.advance(0.1)
    bench.link.say(b"at rest")
    assert (await bench.finished(stopping)).proof == "confirmed"


async def test_the_last_word_counts_when_a_device_says_rest_and_then_that_it_runs() -> None:
    bench = await Bench().opened()
    bench.link.answer = lambda frame: [b"at rest", b"I run"] if frame == ASK else []
    assert (await bench.stopped(budget_s=2.0)).proof == "unconfirmed"


async def test_another_way_to_write_stands_in_and_is_repeated_too() -> None:
    bench = await Bench().opened()
    bench.motor.deaf_to = 2
    written: list[int] = []

    async def write() -> None:
        written.append(len(written))
        await bench.stopper.write()

    result = await bench.finished(bench.stopper.until_confirmed(bench.reopen, write=write))
    assert result == StopResult("confirmed", 3)
    assert written == [0, 1, 2]


async def test_a_question_that_cannot_be_asked_is_asked_again() -> None:
    bench = await Bench().opened()
    bench.link.fails[ASK] = LinkLostError("gone.")
    stopping = asyncio.ensure_future(bench.stopper.until_confirmed(bench.reopen))
    await bench.clock.advance(1.0)
    bench.link.fails.clear()
    assert (await bench.finished(stopping)).proof == "confirmed"


@pytest.mark.parametrize("problem", [DeviceNotFoundError("nobody."), ZeroDivisionError("a fault of ours")])
async def test_stopping_never_raises_whatever_happens_to_the_question(problem: Exception) -> None:
    bench = await Bench().opened()
    bench.link.fails[ASK] = problem
    assert (await bench.stopped(budget_s=2.0)).proof == "unconfirmed"
    assert bench.stops[:2] == [FIRST, SECOND]


@pytest.mark.parametrize("problem", [DeviceNotFoundError("nobody."), ZeroDivisionError("a fault of ours")])
async def test_stopping_never_raises_whatever_happens_when_the_link_is_opened(problem: Exception) -> None:
    bench = Bench()

    async def reopen() -> None:
        raise problem

    result = await bench.finished(bench.stopper.until_confirmed(reopen, budget_s=2.0))
    assert result.proof == "unconfirmed"


async def test_a_link_that_breaks_as_soon_as_it_is_open_is_not_tried_without_a_pause() -> None:
    bench = Bench()

    async def reopen() -> None:
        assert bench.link.opens < 100, "it goes round and round without letting time pass"
        await bench.reopen()
        bench.link.is_open = False

    result = await bench.finished(bench.stopper.until_confirmed(reopen, budget_s=2.0))
    assert result.proof == "unconfirmed"
    assert bench.link.opens <= 20
