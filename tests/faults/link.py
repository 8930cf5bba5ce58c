"""A transport to a simulated device that does to the bytes what the scenario says, in both directions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from controller.errors import DeviceBusyError, DeviceFaultError, DeviceNotFoundError, LinkLostError, TransportError
from controller.transports import Identity
from firmware_profiles.codec import Codec
from firmware_profiles.commands import Status
from firmware_profiles.errors import PercussError
from firmware_profiles.firmware import FirmwareCodec, Received
from simulators.device import SimulatedDevice
from tests.faults import limits
from tests.faults.accounts import Frame
from tests.faults.clockwork import Agenda, WorldClock
from tests.faults.line import Line, would_be_taken
from tests.faults.scenarios import Fault, Scenario
from tests.faults.witness import Witness

URL = "faulty://device"


class FaultyLink:
    """One link; see `controller.transports.Transport`. ``faults`` of the line are active between two moments."""

    def __init__(
        self,
        scenario: Scenario,
        device: SimulatedDevice,
        witness: Witness,
        clock: WorldClock,
        agenda: Agenda,
        tell: Callable[[str], None],
        catch_up: Callable[[], None],
    ) -> None:
        """``catch_up`` brings the device to the present."""
        self.url = URL
        self.is_open = False
        self.is_over = False
        self._scenario = scenario
        self._profile = scenario.profile
        self._device = device
        self._witness = witness
        self._clock = clock
        self._agenda = agenda
        self._tell = tell
        self._catch_up = catch_up
        self._line = Line(scenario.seed, clock.now)
        self._down_until_s = 0.0
        self._opening = 0
        self._generation = 0
        self._owes_stop = False
        self._held = 0
        self._last_report = b""
        self._on_bytes: Callable[[bytes], None] = lambda _: None
        self._on_lost: Callable[[TransportError], None] = lambda _: None
        vectors = [vector for vector in self._profile.vectors if vector.command == "stop"]
        self._stop_frames = {bytes.fromhex(text) for vector in vectors for text in vector.writes}
        device.send = self._hear
        witness.is_able = lambda: self.is_able

    @property
    def counts(self) -> Counter[str]:
        """How often each fault struck."""
        return self._line.counts

    @property
    def is_able(self) -> bool:
        """Whether the link carries bytes, or could be opened to; what becomes of each frame is told apart."""
        if self._clock.now() < self._down_until_s or self._opening or "wedge_line" in self._line.active:
            return False
        return self.is_open or "refuse_open" not in self._line.active

    # What the scenario does

    def begin(self, fault: Fault) -> None:
        """Let a fault of the line begin."""
        self._agenda.add(self._line.begin(fault), lambda: None)

    def disconnect(self, fault: Fault) -> None:
        """Break the link for a while; it is noticed at once or somewhat later."""
        now_s = self._clock.now()
        self._down_until_s = max(self._down_until_s, now_s + fault.for_s)
        generation = self._generation
        self._agenda.add(now_s + (fault.amount * 3.0 if fault.share < 1.0 else 0.0), lambda: self._lose(generation))
        self._agenda.add(self._down_until_s, lambda: None)

    def _lose(self, generation: int) -> None:
        if self.is_open and generation == self._generation:
            self.is_open = False
            self._tell("the link is lost")
            self._on_lost(LinkLostError("The link was lost.", where=URL))

    # The transport

    async def open(self, on_bytes: Callable[[bytes], None], on_lost: Callable[[TransportError], None]) -> None:
        """Open the link, which takes a while, and fails while the device is away or refuses."""
        self.is_open = False
        self._opening += 1
        try:
            await self._clock.sleep_until(self._clock.now() + self._scenario.open_s)
        finally:
            self._witness.check()
            self._opening -= 1
        if self._clock.now() < self._down_until_s:
            raise DeviceNotFoundError("Nothing answers there.", where=URL)
        if "refuse_open" in self._line.active:
            self._line.counts["refuse_open"] += 1
            raise DeviceBusyError("Another program holds this port.", where=URL)
        self._owes_stop = self._generation > 0
        self._generation += 1
        self._on_bytes, self._on_lost, self.is_open = on_bytes, on_lost, True
        self._tell("the link is open")

    async def close(self) -> None:
        """Close the link."""
        self.is_open = False

    async def read_identity(self) -> Identity:
        """Say who is there."""
        if not self.is_open:
            raise LinkLostError("The link is not open.", where=URL)
        return Identity(URL, serial="S1")

    async def pair(self) -> None:
        """Do nothing."""

    async def write(self, data: bytes, *, with_response: bool) -> None:
        """Carry one frame to the device, or not."""
        frame = self._understand(data)
        self._check_first(data)
        if not self.is_open:
            raise LinkLostError("The link is not open.", where=URL)
        if fault := self._line.strikes("refuse"):
            self._witness.lost(frame, "refused")
            raise self._refusal(fault)
        if fault := self._line.strikes("wedge_write"):
            self._line.end("wedge_write")  # this one hangs; others go past it
            self._tell(f"write of {data.hex(' ')} hangs for {fault.for_s:.2f} s")
            if fault.amount < 0.5:
                self._witness.lost(frame, "a write that hangs")
            else:
                self._carry(frame, data)
            await self._hang(frame, self._clock.now() + fault.for_s)
            return
        if self._held or "wedge_line" in self._line.active:
            await self._hold(frame, data)
            return
        is_taken = self._carry(frame, data, with_response=with_response)
        await self._acknowledge(is_taken, with_response)

    async def _acknowledge(self, is_taken: bool | None, with_response: bool) -> None:
        if not with_response:
            return
        if is_taken is False:
            raise DeviceFaultError("The device refused.", where=URL)
        if self._line.strikes("no_ack") or (is_taken is None and not self._scenario.acks_lie):
            await asyncio.get_running_loop().create_future()

    async def _hold(self, frame: Frame, data: bytes) -> None:
        """Wait with the whole line; what was written goes out in order when the driver comes back to its senses."""
        until_s = max(self._line.until_s("wedge_line"), self._clock.now())
        self._tell(f"write of {data.hex(' ')} hangs with the whole line")
        self._held += 1

        def release() -> None:
            self._held -= 1
            self._carry(frame, data)

        self._agenda.add(until_s, release)
        await self._hang(frame, until_s + 0.001)

    async def _hang(self, frame: Frame, until_s: float) -> None:
        if frame.offs:
            # The frames of a stop follow one another: none goes past one of its own.
            self._witness.excuse("a write of Stop hung", limits.REPEAT_S, from_s=until_s)
        while self._clock.now() < until_s and not self.is_over:
            try:
                await self._clock.sleep_until(until_s)
            except asyncio.CancelledError:
                continue  # as a bad driver does

    def _refusal(self, fault: Fault) -> PercussError:
        kinds = (LinkLostError, DeviceBusyError, DeviceFaultError)
        return kinds[int(fault.amount * len(kinds))]("The write was refused.", where=URL)

    def _check_first(self, data: bytes) -> None:
        if self.is_open and self._owes_stop:
            self._owes_stop = False
            if data not in self._stop_frames:
                what = f"{data.hex(' ')} was written first after the link came back, and not Stop"
                self._witness.broke(what, rule="I1")

    # To the device

    def _carry(self, frame: Frame, data: bytes, *, with_response: bool = False) -> bool | None:
        """Take a frame through the line: whether the device took it, None when it has not arrived (yet) as it was."""
        if self._clock.now() < self._down_until_s:
            self._witness.lost(frame, "the link is down, unnoticed")
            return None
        if self._line.strikes("drop"):
            self._tell(f"lost: {data.hex(' ')}")
            self._witness.lost(frame, "dropped")
            return None
        spoilt = self._line.spoil(data, "", lambda other: would_be_taken(self._profile, other))
        if spoilt != data:
            self._tell(f"altered: {data.hex(' ')} to {spoilt.hex(' ')}")
            self._witness.lost(frame, "altered")
        is_taken: bool | None = None
        for _ in range(2 if self._line.strikes("duplicate") else 1):
            due_s = self._line.due_s("")
            if due_s > self._clock.now():
                self._tell(f"late by {due_s - self._clock.now():.2f} s: {data.hex(' ')}")
                self._witness.delayed(frame, due_s)
                self._agenda.add(due_s, partial(self._deliver, frame, spoilt, is_late=True))
            else:
                is_taken = self._deliver(frame, spoilt, with_response=with_response)
        return is_taken if spoilt == data else None

    def _deliver(self, frame: Frame, data: bytes, *, with_response: bool = False, is_late: bool = False) -> bool | None:
        if self._clock.now() < self._down_until_s:
            self._witness.lost(frame, "the link is down, unnoticed")
            return None
        self._catch_up()
        is_altered = data != frame.data
        if is_late and not is_altered:
            self._witness.late(frame)
        self._witness.obeying(frame, is_altered=is_altered or self._is_torn)
        self._is_torn = is_altered
        is_taken = self._device.receive(data, with_response=with_response)
        self._witness.obeying(None)
        if not is_taken:
            self._witness.lost(frame, "ignored by the device")
        elif not is_altered:
            self._witness.arrived(frame)
        return is_taken

    _is_torn = False
    """Whether the frame before was altered: what follows half a frame may be read together with it."""

    # From the device

    def _hear(self, data: bytes) -> None:
        if not self.is_open or self._clock.now() < self._down_until_s or self._line.strikes("drop_back"):
            return
        if self._last_report and self._line.strikes("stuck"):
            data = self._last_report
        else:
            self._last_report = data
        data = self._line.spoil(data, "_back", lambda other: bool(self._rest_in(other)))
        for _ in range(2 if self._line.strikes("duplicate_back") else 1):
            generation, due_s = self._generation, self._line.due_s("_back")
            if due_s > self._clock.now():
                self._agenda.add(due_s, partial(self._say, generation, data))
            else:
                asyncio.get_running_loop().call_soon(self._say, generation, data)

    def _say(self, generation: int, data: bytes) -> None:
        if self.is_open and generation == self._generation:
            if self._witness.is_driven and self._rest_in(data):
                self._witness.false_rest()
            self._on_bytes(data)

    def _rest_in(self, data: bytes) -> list[Status]:
        return [r for r in Codec(self._profile).feed(data) if isinstance(r, Status) and r.is_at_rest]

    def _understand(self, data: bytes) -> Frame:
        """What a frame asks for, and what the limits are now."""
        frame = Frame(data, is_stop=data in self._stop_frames)
        for heard in FirmwareCodec(self._profile).feed(data):
            if not isinstance(heard, Received):
                continue
            if heard.command == "stop":
                frame = replace(frame, offs=frozenset(self._profile.channels))
            elif heard.command in {"set_level", "off"}:
                ((channel, level),) = heard.levels.items()
                cap, gentle = self._limits_of(channel)
                offs = frozenset([channel] if level == 0 else [])
                frame = replace(frame, channel=channel, level=level, cap=cap, gentle=gentle, offs=offs)
        return frame

    def _limits_of(self, channel: str) -> tuple[int, int]:
        place, table = self._witness.place, self._profile.channels[channel]
        if place is None or (table.region is not None and table.region != place.region):
            return 0, 0
        sides = (table.side,) if table.side else place.sides
        of = (self._profile, place.region, sides, self._scenario.holds)
        return limits.cap_level(*of), limits.gentle_level(*of)
