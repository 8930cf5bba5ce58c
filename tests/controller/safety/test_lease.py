"""The permission to run, on a manual clock: 2 s from each renewal, and not a moment more."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.devices import Device
from controller.safety.lease import Lease
from firmware_profiles.commands import QueryStatus, SetLevel
from firmware_profiles.library import load_profiles
from firmware_profiles.units import Level
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport


class Permit:
    """A lease, and when it ran out (seconds since the start)."""

    def __init__(self, speed: float = 1.0) -> None:
        self.clock = ManualClock()
        self.clock.speed = speed
        self.start_s = self.clock.now()
        self.expired_s: list[float] = []
        self.lease = Lease(self.clock)
        self.lease.on_expiry = lambda: self.expired_s.append(self.clock.now() - self.start_s)


@pytest.fixture
async def permit() -> AsyncIterator[Permit]:
    permit = Permit()
    yield permit
    permit.lease.end()


async def test_nothing_may_run_before_the_first_renewal(permit: Permit) -> None:
    assert not permit.lease.is_valid
    await permit.clock.advance(100.0)
    assert not permit.lease.is_valid
    assert permit.expired_s == [], "what was never given cannot run out"


async def test_a_renewed_lease_is_valid_until_just_before_its_deadline(permit: Permit) -> None:
    permit.lease.renew()
    assert permit.lease.is_valid
    await permit.clock.advance(1.999)
    assert permit.lease.is_valid


async def test_a_lease_expires_once_and_exactly_at_its_deadline(permit: Permit) -> None:
    permit.lease.renew()
    await permit.clock.advance(60.0)
    assert permit.expired_s == [2.0]
    assert not permit.lease.is_valid


async def test_the_deadline_itself_is_too_late(permit: Permit) -> None:
    permit.lease.renew()
    permit.clock.jump(2.0)
    assert not permit.lease.is_valid


async def test_each_renewal_counts_from_its_own_moment_and_adds_nothing_up(permit: Permit) -> None:
    for _ in range(10):
        permit.lease.renew()
    await permit.clock.advance(1.5)
    permit.lease.renew()
    await permit.clock.advance(60.0)
    assert permit.expired_s == [3.5]


async def test_a_lease_that_is_renewed_in_time_never_expires(permit: Permit) -> None:
    for _ in range(200):
        permit.lease.renew()
        await permit.clock.advance(permit.lease.renewal_s)
        assert permit.lease.is_valid
    assert permit.expired_s == []


async def test_a_few_renewals_may_be_missed_but_not_four(permit: Permit) -> None:
    permit.lease.renew()
    await permit.clock.advance(3 * permit.lease.renewal_s)
    assert permit.lease.is_valid
    await permit.clock.advance(permit.lease.renewal_s)
    assert not permit.lease.is_valid


async def test_a_late_renewal_expires_the_lease_instead_of_reviving_it(permit: Permit) -> None:
    permit.lease.renew()
    permit.clock.jump(2.0)  # nothing ran, so nothing could notice
    assert permit.expired_s == []
    permit.lease.renew()
    assert permit.expired_s == [2.0]
    assert not permit.lease.is_valid


async def test_an_expired_lease_is_never_renewed(permit: Permit) -> None:
    permit.lease.renew()
    await permit.clock.advance(2.0)
    for _ in range(5):
        permit.lease.renew()
        assert not permit.lease.is_valid
        permit.lease.drop()
        permit.lease.renew()
        assert not permit.lease.is_valid
        await permit.clock.advance(1.0)
    assert permit.expired_s == [2.0], "it is told once"


async def test_a_computer_that_slept_finds_its_lease_expired(permit: Permit) -> None:
    permit.lease.renew()
    await permit.clock.advance(0.5)
    permit.clock.jump(3600.0)
    assert not permit.lease.is_valid
    await permit.clock.advance(0.0)
    assert len(permit.expired_s) == 1


async def test_a_dropped_lease_is_not_valid_and_does_not_expire(permit: Permit) -> None:
    permit.lease.renew()
    await permit.clock.advance(1.0)
    permit.lease.drop()
    assert not permit.lease.is_valid
    await permit.clock.advance(600.0)
    assert permit.expired_s == []


async def test_a_lease_can_be_dropped_before_it_was_ever_given(permit: Permit) -> None:
    permit.lease.drop()
    permit.lease.drop()
    await permit.clock.advance(10.0)
    assert permit.expired_s == []


@pytest.mark.parametrize("pause_s", [0.0, 0.2, 0.5, 1.7, 2.0, 90.0])
async def test_after_a_drop_the_next_renewal_lasts_as_long_as_the_first(permit: Permit, pause_s: float) -> None:
    permit.lease.renew()
    await permit.clock.advance(1.0)
    permit.lease.drop()
    await permit.clock.advance(pause_s)
    permit.lease.renew()
    await permit.clock.advance(1.999)
    assert permit.lease.is_valid
    await permit.clock.advance(60.0)
    assert permit.expired_s == [pytest.approx(1.0 + pause_s + 2.0)]


@pytest.mark.parametrize("speed", [0.5, 3.0, 60.0])
async def test_a_lease_lasts_two_real_seconds_however_fast_the_clock_runs(speed: float) -> None:
    permit = Permit(speed)
    assert permit.lease.renewal_s == pytest.approx(0.5 * speed)
    permit.lease.renew()
    await permit.clock.advance(1.999 * speed)
    assert permit.lease.is_valid
    await permit.clock.advance(10.0 * speed)
    assert permit.expired_s == [pytest.approx(2.0 * speed)]
    permit.lease.end()


async def test_a_lease_that_has_ended_never_expires(permit: Permit) -> None:
    permit.lease.renew()
    permit.lease.end()
    assert not permit.lease.is_valid
    await permit.clock.advance(60.0)
    assert permit.expired_s == []


async def test_ending_a_lease_twice_or_before_it_began_changes_nothing(permit: Permit) -> None:
    permit.lease.end()
    permit.lease.end()
    await permit.clock.advance(10.0)
    assert permit.expired_s == []


async def test_a_lease_that_was_given_back_for_good_is_not_given_again(permit: Permit) -> None:
    permit.lease.renew()
    permit.lease.end()
    permit.lease.renew()  # a renewal that was under way; nobody watches its deadline any more
    assert not permit.lease.is_valid


async def test_nothing_that_a_device_says_or_hears_renews_the_lease(permit: Permit) -> None:
    link = ScriptedTransport(permit.clock, ScriptedGun())
    device = Device("gun", load_profiles()[0]["theragun-gen4"], link, clock=permit.clock, emit=lambda _: None)
    opening = asyncio.ensure_future(device.open())
    while not opening.done():
        await permit.clock.advance(0.05)
    permit.start_s = permit.clock.now()
    permit.lease.renew()
    for _ in range(19):
        traffic = asyncio.gather(device.send(QueryStatus()), device.send(SetLevel("head", Level(250))))
        link.say(bytes.fromhex("BB 10 10 00 00 00 00 00 00 00 00 00 00 00 00"))
        await permit.clock.advance(0.1)
        await traffic
        assert permit.lease.is_valid
    await permit.clock.advance(10.0)  # it is asked for its status every second, and answers
    assert device.is_heard
    assert permit.expired_s == [pytest.approx(2.0)]
    await device.close()
