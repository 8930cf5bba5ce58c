"""What a running service does for every door alike: one session at a time, the devices, and the emergency stop."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

from controller import api
from controller.errors import RefusedError, StopUnconfirmedError
from controller.events import Event, SessionEnded, event_json
from controller.exit_codes import problem_json
from controller.happenings import Happenings
from controller.safety import holds
from controller.service import clearance, emergency, pairing
from controller.service.binding import bind_paired
from controller.service.clearance import LeftOver
from controller.service.live import LiveSession
from controller.service.pairing import Paired
from controller.service.running import Preparation, preparation_json
from controller.service.scanning import ScanResult, is_url
from controller.service.threads import in_thread
from controller.sessions import Request
from controller.station.last_problem import LastProblem
from controller.station.order import LEFT_ALONE, Hosted, Lease, Order, Running
from controller.stopping import StopResult
from firmware_profiles.errors import PercussError


class Station:
    """Owns what is driven, and does one thing at a time. Everything that it does is told in ``happenings``.

    ``stops`` counts the stops that were asked for.
    """

    def __init__(self) -> None:
        self.happenings = Happenings()
        self.last_problem = LastProblem()
        self.running: Running | None = None
        self.stops = 0
        self._hosted: Hosted | None = None
        self._searching = ""
        self._numbers = itertools.count(1)
        self._is_closing = False
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def starting_by(self) -> str | None:
        """Who is just having a session prepared; None while nobody is, or when it runs already."""
        return None if self._hosted is None or self.running is not None else self._hosted.order.by

    async def settle(self) -> list[LeftOver]:
        """Find sessions that ended without a word, stop what they drove, and tell of it.

        Raises JournalError, and StopUnconfirmedError for a device that does not confirm that it stops.
        """
        try:
            found = await clearance.settle_now(emit=self._tell)
        except PercussError as problem:
            self._happen("problem", {"problem": str(problem)})
            raise
        for left_over in found:
            self._tell_preparation(left_over, None)
        return found

    async def start(self, order: Order, *, as_of: int | None = None) -> Running:
        """Start a session; it is under way when this comes back.

        ``as_of`` is what ``stops`` was when it was asked for: a stop since then was meant for this session too. Raises
        RefusedError for that and while another runs, and whatever `api.session` raises: nothing has moved then.
        """
        if self._is_closing:
            raise RefusedError("the service is ending.", fix="Start it again first.")
        if as_of is not None and as_of != self.stops:
            raise _stopped_before()
        self.require_idle()
        number = next(self._numbers)
        begun: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        lease = Lease(order.lease_s, lambda: self._stop_now(LEFT_ALONE))
        task = asyncio.create_task(self._host(order, number, begun), name="percuss station")
        self._hosted = Hosted(number, order, lease, task)
        # Not in the task itself, which may be cancelled before it has begun.
        task.add_done_callback(lambda _: self._let_go(number, lease, task, begun))
        self._happen("starting", {"by": order.by}, session=number)
        return await asyncio.shield(begun)

    async def stop(self, reason: str, *, number: int | None = None) -> SessionEnded | None:
        """Stop the session and wait until everything is at rest, or did not confirm it; None when none had begun.

        With a ``number`` only that one is stopped. Raises what broke the session, such as JournalError, and
        StopUnconfirmedError for one that was only just beginning.
        """
        hosted = self._hosted
        if number is not None and (hosted is None or hosted.number != number):
            return None
        running = self.running
        self._stop_now(reason)
        if hosted is None:
            return None
        try:
            if running is not None:
                return await running.live.ended()
        finally:
            await asyncio.wait({hosted.task})
        problem = None if hosted.task.cancelled() else hosted.task.exception()
        if isinstance(problem, StopUnconfirmedError):
            raise problem
        return None

    async def stop_device(self, name: str, by: str) -> StopResult | PercussError:
        """Stop one paired device; a session that drives it, here or in another process, is ended first.

        Raises DeviceNotFoundError and RegistryError.
        """
        reason = f"{name} was stopped by {by}"
        if self.running is None or name in self.running.devices:
            await self._see_stopped(reason)
        binding = bind_paired(name)
        # It may have another name in the session.
        if self.running is not None and holds.holder(binding.url) == os.getpid():
            await self._see_stopped(reason)
        return (await emergency.stop_devices([binding], emit=self._tell))[name]

    async def scan(self, for_s: float) -> ScanResult:
        """Look around. Raises RefusedError while a session runs: its link comes first."""
        with self._search("looking around"):
            return await api.scan(for_s)

    async def pair(
        self,
        target: str,
        *,
        name: str | None = None,
        profile: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Paired:
        """Pair a device, as `api.pair`. Raises RefusedError while a session runs, and for another one's name."""
        if name is not None and is_url(target):
            pairing.require_free(name, target)
        with self._search("pairing"):
            paired = await api.pair(target, name=name, profile=profile, parameters=parameters)
        self._happen("paired", {"device": paired.name, "profile": paired.profile.id, "proof": paired.stop.proof})
        return paired

    async def forget(self, name: str) -> None:
        """Drop a paired device. Raises DeviceNotFoundError, and DeviceBusyError while a session drives it."""
        await pairing.forget(name)
        self._happen("forgotten", {"device": name})

    def ask(self, request: Request) -> None:
        """Ask the session for a pause, the next place, more time …; an event says so when it is refused.

        Raises RefusedError when nothing runs.
        """
        self._live().request(request)

    def renew(self, number: int) -> None:
        """Say that whoever started this session is still there. Raises RefusedError when it does not run any more."""
        if self._hosted is None or self._hosted.number != number:
            raise RefusedError(f"session {number} is over.")
        self._hosted.lease.renew()

    def tell_pain(self, score: int) -> None:
        """Tell how much it hurts, 0 to 10. Raises RefusedError when nothing runs, or for another figure."""
        self._live().tell_pain(score)

    def tell_nerve_sign(self) -> None:
        """Tell of tingling, numbness or shooting pain: everything stops, also what is just being prepared.

        Raises RefusedError when there is nothing.
        """
        if self.running is None and self._hosted is not None:
            self._stop_now("tingling, numbness or shooting pain")
            return
        self.stops += 1
        self._live().tell_nerve_sign()

    async def stop_everything(self, by: str) -> dict[str, StopResult | PercussError]:
        """The emergency stop: the session, every other process's, and every paired device; nothing starts any more.

        The result of each device by name. One failure keeps nothing else from being stopped: then it raises, such as
        RefusedError when the stop cannot be kept in and RegistryError when nobody can see what is paired.
        """
        reason = f"the emergency stop, by {by}"
        self._stop_now(reason)  # before anything that could fail, or wait for a disk
        self._happen("emergency_stop", {"by": by})
        await asyncio.sleep(0)
        problems: list[PercussError] = []
        for step in (emergency.engage, emergency.stop_sessions):
            try:
                await in_thread(step)
            except PercussError as problem:
                problems.append(problem)
            except OSError as problem:
                problems.append(RefusedError(f"nobody can see which sessions run ({problem})."))
        await self._see_stopped(reason)
        results: dict[str, StopResult | PercussError] = {}
        try:
            results = await emergency.stop_named(sorted(api.devices()), emit=self._tell)
        except PercussError as problem:
            problems.append(problem)
        if problems:
            raise problems[0]
        return results

    def clear(self, by: str) -> str | None:
        """Let things start again; since when they could not. Raises RefusedError when that cannot be done."""
        stop = emergency.clear()
        since_utc = None if stop is None else stop.since_utc
        self._happen("emergency_cleared", {"by": by, "since_utc": since_utc})
        return since_utc

    async def close(self, reason: str) -> SessionEnded | None:
        """End in order: the session first, then the readers. Gives and raises as `stop` does."""
        self._is_closing = True
        try:
            return await self.stop(reason)
        finally:
            self.happenings.close()
            await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _host(self, order: Order, number: int, begun: asyncio.Future[Running]) -> SessionEnded:
        def tell(preparation: Preparation) -> None:
            self._tell_preparation(preparation, number)

        simulators = AsyncExitStack()
        try:
            massager: api.Device | None = order.massager
            if order.simulator is not None:
                simulator = api.simulator(order.simulator, speed=order.speed)
                massager = await simulators.enter_async_context(simulator)
            async with api.session(
                order.what,
                massager=massager,
                massager2=order.massager2,
                timer=order.timer,
                speed=order.speed,
                pain_before=order.pain_before,
                waits_for_key=order.waits_for_key,
                asks_pain=order.asks_pain,
                can_be_resumed=order.can_be_resumed,
                tell=tell,
            ) as live:
                self.running = Running(number, order, live)
                begun.set_result(self.running)
                async for event in live.events():
                    self._tell(event, number)
                return await live.ended()
        finally:
            # A simulator takes its time to end, and nobody waits for it: everything is at rest.
            self._leaving.add(leaving := asyncio.create_task(simulators.aclose()))
            leaving.add_done_callback(self._leaving.discard)

    def _let_go(
        self, number: int, lease: Lease, task: asyncio.Task[SessionEnded], begun: asyncio.Future[Running]
    ) -> None:
        """Be free for the next one, when everything of this one is over; whoever waits for its beginning hears why."""
        lease.end()
        self.running, self._hosted = None, None
        problem = None if task.cancelled() else task.exception()
        if not begun.done():
            begun.set_exception(problem or _stopped_before())
            if not isinstance(problem, StopUnconfirmedError):
                problem = None  # whoever asked hears it, and nobody else need
        self._happen("session_over", problem_json(problem), session=number)

    def _stop_now(self, reason: str) -> None:
        """Stop what runs, give up what is being prepared; nothing waits."""
        self.stops += 1
        if self.running is not None:
            self.running.live.stop(reason)
        elif self._hosted is not None:
            self._hosted.task.cancel()

    async def _see_stopped(self, reason: str) -> None:
        """Stop, and wait for it; what broke the session has been told, and keeps nothing else from being stopped."""
        with suppress(PercussError):
            await self.stop(reason)

    @contextmanager
    def _search(self, what: str) -> Iterator[None]:
        """Keep sessions and other searches away for a block: two would disturb each other on one radio."""
        self.require_idle(what)
        self._searching = what
        try:
            yield
        finally:
            self._searching = ""

    def require_idle(self, what: str = "") -> None:
        """Raise RefusedError while something goes on that ``what``, or another session, would disturb."""
        if self._searching:
            raise RefusedError(f"somebody is {self._searching} just now.", fix="Wait until that has ended.")
        if self._hosted is not None:
            fix = "Stop it, or wait until it has ended."
            by = self._hosted.order.by
            why = (
                f"{what} would disturb the session that {by} started."
                if what
                else f"a session runs already, started by {by}."
            )
            raise RefusedError(why, fix=fix)

    def _live(self) -> LiveSession:
        if self.running is None:
            raise RefusedError("no session runs.", fix="Start one.")
        return self.running.live

    def _happen(self, kind: str, data: dict[str, Any], *, session: int | None = None) -> None:
        self.last_problem.hear(kind, data)
        self.happenings.add(kind, data, session=session)

    def _tell(self, event: Event, session: int | None = None) -> None:
        said = event_json(event)
        self._happen(said.pop("event"), said, session=session)

    def _tell_preparation(self, preparation: Preparation, session: int | None) -> None:
        said = preparation_json(preparation)
        self._happen(said.pop("event"), said, session=session)


def _stopped_before() -> RefusedError:
    return RefusedError("it was stopped before it began.", fix="Start it again.")


@asynccontextmanager
async def open_station() -> AsyncIterator[Station]:
    """A station for a block; leaving it stops everything first."""
    station = Station()
    try:
        yield station
    finally:
        await station.close("the service ended")
