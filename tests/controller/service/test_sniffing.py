from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from controller.errors import DeviceBusyError, IdentityError, LinkLostError
from controller.safety import holds
from controller.service import sniffing
from controller.service.binding import Binding
from controller.service.sniffing import sniff
from controller.transports import Identity
from firmware_profiles.commands import Status, Version
from firmware_profiles.decoding import Decoder, Meaning
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from tests.firmware_profiles.test_redaction import with_pin
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport

THERAGUN = load_profile(BUNDLED / "theragun-gen4.toml")
URL = "ble://F0:F1:C2:00:00:01"
ASK_VERSION, ASK_STATUS = bytes.fromhex("AA 20 20 00"), bytes.fromhex("AA 10 10 00")


class Bench:
    """A device on a scripted link that is listened to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, profile: Profile = THERAGUN, serial: str = "S1") -> None:
        self.clock = ManualClock()
        self.gun = ScriptedGun()
        self.link = ScriptedTransport(self.clock, self.gun)
        self.heard: list[Meaning] = []
        self.hear: Any = self.heard.append
        self.end = asyncio.Event()
        url = URL if profile.ble is not None else "/dev/ttyUSB0"
        self.binding = Binding("gun", url, profile, Identity("F0:F1:C2:00:00:01", serial))
        monkeypatch.setattr(sniffing, "open_url", lambda *_: self.link)

    def begin(self) -> asyncio.Task[Decoder]:
        return asyncio.create_task(sniff(self.binding, self.hear, clock=self.clock, end=self.end))

    async def listened(self, duration_s: float) -> Decoder:
        """Listen for so long, in steps, then end."""
        listening = self.begin()
        for _ in range(round(duration_s / 0.1)):
            await self.clock.settle()
            await self.clock.advance(0.1)
        self.end.set()
        return await listening


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_it_asks_and_never_drives(bench: Bench) -> None:
    bench.gun.rpm = 1750  # switched on by its own button
    await bench.listened(10)
    assert set(bench.link.frames) == {ASK_VERSION, ASK_STATUS}
    assert bench.gun.rpm == 1750
    assert not bench.link.is_open


async def test_it_asks_as_often_as_the_profile_says(bench: Bench) -> None:
    period_s = THERAGUN.status_period_s
    assert period_s is not None
    await bench.listened(10 * period_s)
    asked = [at_s for at_s, frame, _ in bench.link.log if frame == ASK_STATUS]
    assert 9 <= len(asked) <= 11
    assert all(later - before >= period_s for before, later in itertools.pairwise(asked))


async def test_what_passes_is_told_with_what_it_means(bench: Bench) -> None:
    decoder = await bench.listened(1)
    said = [one for meaning in bench.heard for one in meaning.said]
    # 216 is version 2.1.6, as the protocol notes say.
    assert Version("2.1.6") in said
    assert any(isinstance(one, Status) and one.running is False for one in said)
    assert decoder.share == 1
    assert [meaning.passed.t_s for meaning in bench.heard] == sorted(m.passed.t_s or 0.0 for m in bench.heard)


async def test_bytes_that_fit_no_frame_are_told_and_do_not_end_it(bench: Bench) -> None:
    listening = bench.begin()
    await bench.clock.settle()
    for _ in range(20):
        bench.link.say(b"\x01\x02")
    bench.end.set()
    decoder = await listening
    assert decoder.total - decoder.understood == 20


async def test_a_device_that_says_nothing_is_listened_to_all_the_same(bench: Bench) -> None:
    bench.gun.is_silent = True
    decoder = await bench.listened(5)
    assert decoder.total > 1
    assert {meaning.passed.direction for meaning in bench.heard} == {"tx"}


async def test_another_device_at_the_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, serial="ANOTHER")
    with pytest.raises(IdentityError):
        await bench.begin()
    assert bench.link.frames == []
    assert not bench.link.is_open


async def test_a_lost_link_is_an_error_after_all_that_was_heard(bench: Bench) -> None:
    listening = bench.begin()
    await bench.clock.settle()
    bench.link.drop()
    with pytest.raises(LinkLostError):
        await listening
    assert bench.heard


async def test_a_reader_that_is_gone_ends_it(bench: Bench) -> None:
    def gone(_: Meaning) -> None:
        raise BrokenPipeError

    bench.hear = gone
    with pytest.raises(BrokenPipeError):
        await bench.begin()
    assert not bench.link.is_open


async def test_a_device_that_is_driven_is_left_alone(bench: Bench) -> None:
    with holds.held("gun", URL), pytest.raises(DeviceBusyError):
        await bench.begin()
    assert bench.link.opens == 0


async def test_an_init_is_written_first_and_its_secret_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, with_pin("4711"))
    await bench.listened(1)
    assert bench.link.frames[0].startswith(b"PIN4711")
    first = bench.heard[0].passed
    assert (first.direction, first.data, first.left_out) == ("tx", b"", 8)
    assert all(b"4711" not in meaning.passed.data for meaning in bench.heard)
