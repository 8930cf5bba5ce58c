"""The gate, command by command: every limit is a number in this file, not one that the planner works out too."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.devices import Device
from controller.errors import DeviceFaultError, RefusedError
from controller.safety import latch
from controller.safety.supervisor import Supervisor
from firmware_profiles.capabilities import Place, Role, Side
from firmware_profiles.capability_tables import LevelModel
from firmware_profiles.commands import SetLevel, Status, Stop
from firmware_profiles.library import load_profiles
from firmware_profiles.schema import Profile
from firmware_profiles.units import Level
from routines.bounds import Bound
from routines.schema import Intensity
from routines.timeline import Cue, Drive, Span, Timeline
from tests.helpers.manual_clock import ManualClock
from tests.helpers.scripted_transport import ScriptedGun, ScriptedTransport

PROFILES = load_profiles()[0]
GUN, PAD, RELAY = PROFILES["theragun-gen4"], PROFILES["nlr-hf8"], PROFILES["lcus-relay"]

REGIONS = {  # cap in ppm, gentle in ppm, the most seconds in a session
    "piriformis": (2100, 1500, 90),
    "gluteus_medius": (2400, 1600, 120),
    "gluteus_minimus": (2100, 1500, 90),
    "gluteus_maximus": (2400, 1750, 120),
    "lumbar_paraspinal": (1800, 1400, 60),
    "hamstrings": (2400, 1750, 120),
    "calves": (2100, 1600, 120),
    "quadriceps": (2400, 1750, 120),
    "foot_arch": (1800, 1200, 90),
    "heel": (1600, 1200, 60),
    "upper_back": (1800, 1400, 90),
    "shoulders": (1800, 1400, 90),
}
DEVICE_PPM = 2100  # 87.5 % of 2400: nobody has seen one of the profiles work
FULL = {"theragun-gen4": 2400, "nlr-hf8": 255}  # the level that counts as 2400 ppm
STEP = {"theragun-gen4": 250, "nlr-hf8": 26}  # 26 of 255 are 245 ppm, 27 are 254
ZONES = {"hamstrings": "thigh", "gluteus_maximus": "buttock", "lumbar_paraspinal": "back", "shoulders": "shoulder"}
SIDES: tuple[Side, Side] = ("left", "right")
FAR_TOO_HIGH = Level(1_000_000)


def channel_at(profile: Profile, region: str, side: Side | None) -> str:
    """Where a plan would drive; a zone that bears more than the place where the pad has none there."""
    if profile.id == PAD.id:
        return f"{side or 'left'}_{ZONES.get(region, 'thigh')}"
    return "head" if profile.id == GUN.id else "relay1"


def work(  # a plan that claims far too much
    profile: Profile,
    region: str | None,
    side: Side | None = "left",
    *,
    channel: str = "",
    duration_s: float = 40.0,
    extra_s: float = 0.0,
    cap: Level = FAR_TOO_HIGH,
) -> Span:
    drive = Drive(
        role="massager",
        channel=channel or channel_at(profile, region or "", side),
        levels=profile.levels,
        targets=((0.0, FAR_TOO_HIGH),),
        gentle_level=FAR_TOO_HIGH,
        cap_level=cap,
        cap_reason="the plan says so",
    )
    return Span("work", duration_s, 1, 1, "work", region=region, side=side, drives=(drive,), extra_max_s=extra_s)


class Gate:
    """A supervisor that is asked by hand. It is given its permission and time in small pieces."""

    def __init__(
        self,
        profile: Profile,
        *spans: Span,
        bounds: tuple[Bound, ...] = (),
        role: Role = "massager",
        roles: tuple[Role, ...] = (),
    ) -> None:
        self.clock = ManualClock()
        self.gun = ScriptedGun()
        self.device = Device(
            "gun", profile, ScriptedTransport(self.clock, self.gun), clock=self.clock, emit=lambda _: None
        )
        self.spans = spans
        roles = roles or (role,)
        devices = dict.fromkeys(roles, self.device)
        self.supervisor = Supervisor(Timeline("test", spans, roles), devices, bounds, self.clock)
        self.levels: dict[str, int] = {}

    async def wait(self, duration_s: float) -> None:
        """Let time pass with the permission renewed."""
        while duration_s > 0:
            self.supervisor.renew()
            piece_s = min(1.0, duration_s)
            await self.clock.advance(piece_s)
            duration_s -= piece_s
        self.supervisor.renew()

    def ask(self, level: int, *, span: Span | None = None, channel: str = "") -> None:
        """Pass a level on; it is remembered when it was let through."""
        span = span or self.spans[0]
        channel = channel or span.drives[0].channel
        self.supervisor.renew()
        cue = Cue(0.0, "massager", SetLevel(channel, Level(level)))
        self.supervisor.check(span, cue, Level(self.levels.get(channel, 0)))
        self.levels[channel] = level

    async def climb(self, goal: int, step: int) -> None:
        """Go up as slowly as any place asks."""
        channel = self.spans[0].drives[0].channel
        while (level := self.levels.get(channel, 0)) < goal:
            await self.wait(10.0)
            self.ask(min(level + step, goal))

    def end(self) -> None:
        self.supervisor.lease.end()


def level_of(profile: Profile, ppm: int) -> int:
    """The highest level that is not above a speed."""
    return ppm * FULL[profile.id] // 2400


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("profile", [GUN, PAD], ids=lambda profile: str(profile.id))
async def test_the_cap_is_reached_and_one_level_more_is_refused_whatever_the_plan_claims(
    profile: Profile, region: str, side: Side
) -> None:
    region_ppm = REGIONS[region][0]
    cap = level_of(profile, min(region_ppm, DEVICE_PPM))
    if region_ppm <= DEVICE_PPM:
        why = f"{region_ppm} ppm is the limit of the {region.replace('_', ' ')}"
    else:
        why = (
            f"87.5 % (2100 ppm) is the limit of {profile.id}: nobody has seen this profile work on the real device yet"
        )
    gate = Gate(profile, work(profile, region, side))
    await gate.climb(cap, STEP[profile.id])
    await gate.wait(10.0)
    with pytest.raises(RefusedError) as refused:
        gate.ask(cap + 1)
    assert refused.value.what == f"level {cap + 1} is above {cap}: {why}."
    assert refused.value.where == f"{side} {region.replace('_', ' ')}"
    gate.end()


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("profile", [GUN, PAD], ids=lambda profile: str(profile.id))
async def test_a_level_above_the_cap_is_refused_from_rest_too(profile: Profile, region: str) -> None:
    cap = level_of(profile, min(REGIONS[region][0], DEVICE_PPM))
    gate = Gate(profile, work(profile, region))
    for level in (cap + 1, FULL[profile.id], 3616, 1_000_000):
        with pytest.raises(RefusedError, match="is above"):
            gate.ask(level)
    gate.end()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("region", REGIONS)
async def test_a_switch_may_be_switched_on_at_every_place_that_is_driven(region: str, side: Side) -> None:
    gate = Gate(RELAY, work(RELAY, region, side))
    gate.ask(1)
    gate.end()


async def test_a_plan_that_allows_less_than_the_limits_is_kept_to_as_well() -> None:
    gate = Gate(GUN, work(GUN, "calves", cap=Level(1000)))
    await gate.climb(1000, 250)
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match="level 1001 is above 1000: the plan says so"):
        gate.ask(1001)
    gate.end()


async def test_without_a_place_the_most_delicate_one_is_the_limit() -> None:
    gate = Gate(GUN, work(GUN, None, None))
    await gate.climb(1600, 250)
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match=r"without a region .* \(heel, 1600 ppm\)"):
        gate.ask(1601)
    gate.end()


async def test_a_verified_profile_is_held_by_the_place_alone() -> None:
    verified = GUN.model_copy(update={"verified_on_hardware": True})
    gate = Gate(verified, work(GUN, "hamstrings"))
    await gate.climb(2400, 250)
    with pytest.raises(RefusedError, match="2400 ppm is the limit of the hamstrings"):
        gate.ask(2401)
    gate.end()


async def test_a_zone_is_held_to_what_its_own_place_bears() -> None:
    """The pad's back motors sit at the lower back (1800 ppm), whatever place the plan says they work on."""
    gate = Gate(PAD, work(PAD, "hamstrings", "left", channel="left_back"))
    with pytest.raises(RefusedError):
        await gate.climb(level_of(PAD, 2100), STEP["nlr-hf8"])
    assert gate.levels.get("left_back", 0) <= level_of(PAD, 1800)
    gate.end()


GENTLE = Intensity(word="gentle")
HALF = Bound("I asked for less", cap=Intensity(percent=50))


@pytest.mark.parametrize(
    ("profile", "region", "bounds", "cap_ppm", "why"),
    [
        (GUN, "hamstrings", (HALF,), 1200, "I asked for less"),
        (PAD, "hamstrings", (HALF,), 1200, "I asked for less"),
        (GUN, "heel", (Bound("a first session", cap=GENTLE),), 1200, "a first session"),
        (GUN, "hamstrings", (Bound("a first session", cap=GENTLE),), 1750, "a first session"),
        (PAD, "hamstrings", (Bound("a first session", cap=GENTLE),), 1750, "a first session"),
        (GUN, "calves", (Bound("own", cap=Intensity(ppm=900)),), 900, "own"),
        (GUN, "calves", (Bound("here", region="calves", cap=Intensity(ppm=900)),), 900, "here"),
        (GUN, "calves", (Bound("left", region="calves", side="left", cap=Intensity(ppm=900)),), 900, "left"),
        (GUN, "calves", (Bound("this one", device="gun", cap=Intensity(ppm=900)),), 900, "this one"),
        (GUN, "calves", (HALF, Bound("less yet", cap=Intensity(ppm=700))), 700, "less yet"),
        (GUN, "calves", (Bound("less yet", cap=Intensity(ppm=700)), HALF), 700, "less yet"),
        # What does not hold here, or is no tightening, leaves the limits as they are.
        (GUN, "calves", (Bound("there", region="heel", cap=Intensity(ppm=900)),), 2100, "limit of the calves"),
        (GUN, "calves", (Bound("that one", device="pad", cap=Intensity(ppm=900)),), 2100, "limit of the calves"),
        (GUN, "calves", (Bound("more", cap=Intensity(percent=100)),), 2100, "limit of the calves"),
        (GUN, "hamstrings", (Bound("more", cap=Intensity(ppm=9000)),), 2100, "limit of theragun-gen4"),
        (GUN, "calves", (Bound("firm", cap=Intensity(word="firm")),), 2100, "limit of the calves"),
    ],
)
async def test_the_tightest_of_all_limits_is_the_cap_and_the_reason(
    profile: Profile, region: str, bounds: tuple[Bound, ...], cap_ppm: int, why: str
) -> None:
    cap = level_of(profile, cap_ppm)
    gate = Gate(profile, work(profile, region), bounds=bounds)
    await gate.climb(cap, STEP[profile.id])
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match=f"level {cap + 1} is above {cap}: .*{why}"):
        gate.ask(cap + 1)
    gate.end()


async def test_held_to_gentle_means_the_slowest_speed_of_a_device_that_has_none_as_slow() -> None:
    fast = GUN.model_copy(update={"level": LevelModel(unit="ppm", full=2400, steps=(1750, 2100, 2400))})
    gate = Gate(fast, work(fast, "calves"), bounds=(Bound("a first session", cap=GENTLE),))
    gate.ask(1750)
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match="level 2100 is above 1750: a first session"):
        gate.ask(2100)
    gate.end()


# ---- where nothing runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [GUN, PAD, RELAY], ids=lambda profile: str(profile.id))
async def test_a_place_that_is_never_driven_is_refused(profile: Profile) -> None:
    gate = Gate(profile, work(profile, "iliopsoas"))
    with pytest.raises(RefusedError, match="is never driven"):
        gate.ask(1)
    gate.end()


@pytest.mark.parametrize("profile", [GUN, PAD, RELAY], ids=lambda profile: str(profile.id))
@pytest.mark.parametrize(
    "bound",
    [
        Bound("a blood clot", is_refused=True),
        Bound("a blood clot", region="hamstrings", is_refused=True),
        Bound("a blood clot", side="left", is_refused=True),
        Bound("a blood clot", region="hamstrings", side="left", is_refused=True),
        Bound("a blood clot", device="gun", is_refused=True),
    ],
)
async def test_a_place_that_is_left_alone_today_is_refused(profile: Profile, bound: Bound) -> None:
    gate = Gate(profile, work(profile, "hamstrings"), bounds=(HALF, bound))
    with pytest.raises(RefusedError, match="left alone today: a blood clot"):
        gate.ask(1)
    gate.end()


@pytest.mark.parametrize(
    "bound",
    [
        Bound("a blood clot", region="calves", is_refused=True),
        Bound("a blood clot", region="hamstrings", side="right", is_refused=True),
        Bound("a blood clot", device="pad", is_refused=True),
    ],
)
async def test_what_is_left_alone_elsewhere_is_driven_here(bound: Bound) -> None:
    gate = Gate(GUN, work(GUN, "hamstrings"), bounds=(bound,))
    gate.ask(250)
    gate.end()


async def test_a_place_without_a_name_may_be_any_so_every_refusal_holds() -> None:
    gate = Gate(GUN, work(GUN, None, None), bounds=(Bound("a blood clot", region="calves", is_refused=True),))
    with pytest.raises(RefusedError, match="a blood clot"):
        gate.ask(1)
    gate.end()


async def test_of_two_zones_only_the_side_that_is_left_alone_is_refused() -> None:
    left, right = work(PAD, "hamstrings", "left").drives[0], work(PAD, "hamstrings", "right").drives[0]
    both = replace(work(PAD, "hamstrings", None), drives=(left, right))
    bound = Bound("a bruise", region="hamstrings", side="right", is_refused=True)
    gate = Gate(PAD, both, bounds=(bound,))
    gate.ask(20, channel="left_thigh")
    with pytest.raises(RefusedError, match="a bruise"):
        gate.ask(20, channel="right_thigh")
    gate.end()


def back_and_thigh() -> Span:
    """One step that works the left lower back (at most 1800 ppm, 60 s) and the right hamstrings at the same time."""
    back, thigh = work(PAD, "lumbar_paraspinal", "left"), work(PAD, "hamstrings", "right")
    places = (Place("lumbar_paraspinal", "left"), Place("hamstrings", "right"))
    drives = tuple(replace(span.drives[0], place=place) for span, place in zip((back, thigh), places, strict=True))
    return replace(back, drives=drives, also=places[1:], duration_s=40.0, extra_max_s=100.0)


async def test_of_two_places_at_once_each_motor_is_held_to_its_own() -> None:
    gate = Gate(PAD, back_and_thigh())
    cap = level_of(PAD, 1800)  # 191 of 255
    for level in (26, 52, 78, 104, 130, 156, 182, cap):
        await gate.wait(10.0)
        gate.ask(level, channel="left_back")
        gate.ask(level, channel="right_thigh")
    await gate.wait(10.0)
    gate.ask(cap + 10, channel="right_thigh")
    with pytest.raises(RefusedError, match="1800 ppm is the limit of the lumbar paraspinal"):
        gate.ask(cap + 1, channel="left_back")
    gate.end()


async def test_of_two_places_at_once_the_one_that_bears_less_time_ends_both() -> None:
    span = back_and_thigh()
    gate = Gate(PAD, span)
    assert gate.supervisor.allowed_s(span) == 60.0
    gate.supervisor.count(span, 45.0)
    assert gate.supervisor.allowed_s(span) == 15.0
    assert gate.supervisor.allowed_s(work(PAD, "lumbar_paraspinal", "left")) == 15.0
    gate.end()


async def test_of_two_places_at_once_the_one_that_is_left_alone_stays_off() -> None:
    gate = Gate(PAD, back_and_thigh(), bounds=(Bound("a bruise", region="hamstrings", is_refused=True),))
    gate.ask(20, channel="left_back")
    with pytest.raises(RefusedError, match="a bruise"):
        gate.ask(20, channel="right_thigh")
    gate.end()


async def test_what_is_held_in_one_hand_is_held_to_the_place_of_the_other_too() -> None:
    """Calves bear 2100 ppm, a heel 1600, and nobody sees which hand has which gun."""
    calf, heel = (replace(work(GUN, region).drives[0], place=Place(region, "left")) for region in ("calves", "heel"))
    span = replace(work(GUN, "calves"), drives=(calf, replace(heel, role="massager2")), also=(Place("heel", "left"),))
    gate = Gate(GUN, span, roles=("massager", "massager2"))
    await gate.climb(1600, 250)
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match="1600 ppm is the limit of the heel"):
        gate.ask(1601)
    gate.end()


async def test_a_motor_that_a_plan_puts_at_a_place_outside_its_step_is_refused() -> None:
    span = work(GUN, "calves", "left")
    gate = Gate(GUN, replace(span, drives=(replace(span.drives[0], place=Place("hamstrings", "left")),)))
    with pytest.raises(RefusedError, match="no part at the left hamstrings"):
        gate.ask(250)
    gate.end()


async def test_a_hand_held_device_over_both_sides_is_refused_where_one_is_left_alone() -> None:
    bound = Bound("a bruise", region="hamstrings", side="right", is_refused=True)
    gate = Gate(GUN, work(GUN, "hamstrings", None), bounds=(bound,))
    with pytest.raises(RefusedError, match="a bruise"):
        gate.ask(250)
    gate.end()


# ---- who may ask --------------------------------------------------------------------------------------------------


async def test_nothing_is_let_through_without_permission() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    rise = Cue(0.0, "massager", SetLevel("head", Level(250)))
    with pytest.raises(RefusedError, match="permission to run has run out"):
        gate.supervisor.check(gate.spans[0], rise, Level(0))
    gate.supervisor.renew()
    gate.supervisor.check(gate.spans[0], rise, Level(0))
    gate.clock.jump(2.0)
    with pytest.raises(RefusedError, match="permission to run has run out"):
        gate.supervisor.check(gate.spans[0], rise, Level(0))
    gate.end()


async def test_without_permission_even_a_fall_to_a_level_that_runs_is_refused() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    with pytest.raises(RefusedError, match="permission"):
        gate.supervisor.check(gate.spans[0], Cue(0.0, "massager", SetLevel("head", Level(100))), Level(500))


async def test_the_emergency_stop_lets_nothing_through_and_renews_nothing() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    gate.ask(250)
    latch.engage()
    with pytest.raises(RefusedError, match="emergency stop is in"):
        gate.supervisor.renew()
    with pytest.raises(RefusedError, match="emergency stop is in"):
        gate.supervisor.check(gate.spans[0], Cue(0.0, "massager", SetLevel("head", Level(200))), Level(250))
    latch.clear()
    await gate.wait(1.0)
    gate.ask(500)
    gate.end()


async def test_a_renewal_that_is_refused_leaves_the_old_deadline() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    expired: list[float] = []
    gate.supervisor.lease.on_expiry = lambda: expired.append(gate.clock.now() - start_s)
    start_s = gate.clock.now()
    gate.supervisor.renew()
    await gate.clock.advance(1.0)
    latch.engage()
    with pytest.raises(RefusedError):
        gate.supervisor.renew()
    await gate.clock.advance(5.0)
    assert expired == [2.0]
    gate.end()


@pytest.mark.parametrize("command", [SetLevel("head", Level(0)), Stop(), SetLevel("nowhere", Level(0))])
async def test_off_is_always_let_through(command: SetLevel | Stop) -> None:
    latch.engage()
    span = replace(work(GUN, "iliopsoas"), drives=())
    gate = Gate(GUN, span, bounds=(Bound("no", is_refused=True),))
    gate.supervisor.check(span, Cue(0.0, "massager", command), Level(2400))


@pytest.mark.parametrize("channel", ["right_thigh", "left_shoulder", "nowhere"])
async def test_a_channel_that_has_no_part_in_the_step_is_refused(channel: str) -> None:
    gate = Gate(PAD, work(PAD, "hamstrings", "left"))
    with pytest.raises(RefusedError, match=f"channel {channel} has no part"):
        gate.ask(1, channel=channel)
    gate.end()


async def test_nothing_is_driven_in_a_step_by_hand() -> None:
    gate = Gate(GUN, replace(work(GUN, "calves"), drives=()))
    with pytest.raises(RefusedError, match="has no part"):
        gate.ask(1, channel="head")
    gate.end()


async def test_a_timers_signal_needs_no_permission_and_no_place() -> None:
    pulse = Cue(0.0, "timer", SetLevel("relay1", Level(1)))
    span = replace(work(RELAY, "iliopsoas"), drives=(), signals=(pulse,))
    gate = Gate(RELAY, span, role="timer")
    gate.supervisor.check(span, pulse, Level(0))


@pytest.mark.parametrize(
    "cue",
    [
        Cue(0.0, "timer", SetLevel("relay2", Level(1))),
        Cue(0.0, "timer", SetLevel("relay1", Level(2))),
        Cue(0.0, "massager", SetLevel("relay1", Level(1))),
    ],
)
async def test_what_is_not_exactly_the_signal_is_no_signal(cue: Cue) -> None:
    span = replace(work(RELAY, "calves"), drives=(), signals=(Cue(0.0, "timer", SetLevel("relay1", Level(1))),))
    gate = Gate(RELAY, span, role="timer")
    gate.supervisor.renew()
    with pytest.raises(RefusedError, match="has no part"):
        gate.supervisor.check(span, cue, Level(0))
    gate.end()


# ---- how fast it may rise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "most"), [(GUN, 250), (PAD, 26)], ids=lambda value: getattr(value, "id", None))
@pytest.mark.parametrize("steps", [0, 1, 3])
async def test_a_step_is_at_most_250_ppm(profile: Profile, most: int, steps: int) -> None:
    gate = Gate(profile, work(profile, "hamstrings"))
    await gate.climb(steps * most, most)
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match=f"from {steps * most} to {steps * most + most + 1} is too big a step"):
        gate.ask(steps * most + most + 1)
    gate.ask(steps * most + most)
    gate.end()


async def test_where_levels_are_further_apart_the_next_one_is_a_step() -> None:
    coarse = GUN.model_copy(
        update={"level": LevelModel(unit="ppm", full=2400, steps=(1750, 2100, 2400)), "verified_on_hardware": True}
    )
    gate = Gate(coarse, work(coarse, "hamstrings"))
    with pytest.raises(RefusedError, match="from 0 to 2100 is too big a step"):
        gate.ask(2100)
    gate.ask(1750)
    await gate.wait(10.0)
    with pytest.raises(RefusedError, match="from 1750 to 2400 is too big a step"):
        gate.ask(2400)
    gate.ask(2100)
    gate.end()


async def test_a_fall_may_be_as_big_and_as_soon_as_anybody_likes() -> None:
    gate = Gate(GUN, work(GUN, "hamstrings"))
    await gate.climb(2100, 250)
    gate.ask(3)
    gate.ask(2)
    gate.ask(1)
    gate.end()


@pytest.mark.parametrize(
    ("level", "hold_s"), [(250, 1.0), (1000, 1.0), (1599, 1.0), (1600, 10.0), (1601, 10.0), (1800, 10.0)]
)
async def test_a_level_is_held_one_second_below_gentle_and_ten_from_gentle_on(level: int, hold_s: float) -> None:
    """Gentle is 1600 ppm at the calves. A tenth of a second is let through, for a step before that came late."""
    gate = Gate(GUN, work(GUN, "calves"))
    await gate.climb(level, 250)
    await gate.wait(hold_s - 0.15)
    with pytest.raises(RefusedError, match=f"is too soon; it takes {hold_s:g} s"):
        gate.ask(level + 1)
    await gate.wait(0.15)
    gate.ask(level + 1)
    gate.end()


async def test_a_device_that_knows_only_levels_is_held_by_its_share_of_2400() -> None:
    gate = Gate(PAD, work(PAD, "lumbar_paraspinal"))  # gentle: 1400 of 2400 is 148.75 of 255
    await gate.climb(147, 26)
    await gate.wait(1.0)
    gate.ask(148)
    await gate.wait(9.0)
    with pytest.raises(RefusedError, match="it takes 10 s"):
        gate.ask(149)
    await gate.wait(1.0)
    gate.ask(149)
    gate.end()


async def test_where_gentle_is_bounded_lower_the_slow_part_begins_lower() -> None:
    gate = Gate(GUN, work(GUN, "calves"), bounds=(Bound("own", cap=Intensity(ppm=1000)),))
    await gate.climb(999, 250)
    await gate.wait(1.0)
    gate.ask(1000)
    gate.end()
    unbound = Gate(GUN, work(GUN, "calves"))
    await unbound.climb(1000, 250)
    await unbound.wait(1.0)
    unbound.ask(1250)
    unbound.end()


async def test_a_rise_that_was_refused_does_not_count_as_one() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    gate.ask(250)
    await gate.wait(0.8)
    with pytest.raises(RefusedError, match="too soon"):
        gate.ask(500)
    await gate.wait(0.2)
    gate.ask(500)
    gate.end()


async def test_a_fall_in_between_does_not_make_the_next_rise_come_sooner() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    await gate.climb(1700, 250)
    gate.ask(1650)
    await gate.wait(5.0)
    with pytest.raises(RefusedError, match=r"after 5\.0 s is too soon"):
        gate.ask(1700)
    await gate.wait(5.0)
    gate.ask(1700)
    gate.end()


async def test_each_channel_rises_by_its_own_time() -> None:
    left, right = work(PAD, "hamstrings", "left").drives[0], work(PAD, "hamstrings", "right").drives[0]
    gate = Gate(PAD, replace(work(PAD, "hamstrings", None), drives=(left, right)))
    gate.ask(26, channel="left_thigh")
    await gate.wait(0.5)
    gate.ask(26, channel="right_thigh")
    await gate.wait(0.5)
    gate.ask(52, channel="left_thigh")
    with pytest.raises(RefusedError, match="too soon"):
        gate.ask(52, channel="right_thigh")
    gate.end()


async def test_a_device_that_is_not_heard_any_more_does_not_get_stronger() -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    opening = asyncio.ensure_future(gate.device.open())
    while not opening.done():
        await gate.clock.advance(0.05)
    await gate.wait(3.0)
    gate.ask(250)
    gate.gun.is_silent = True  # it says how it is each second: 4 s without a word are too long
    await gate.wait(3.0)
    gate.ask(500)
    await gate.wait(3.0)
    with pytest.raises(RefusedError, match="does not say any more what it is doing"):
        gate.ask(510)
    gate.ask(100)
    await gate.device.close()
    gate.end()


# ---- what a device reports ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Status(battery_pct=4.9), "battery is almost empty"),
        (Status(battery_pct=0.0), "battery is almost empty"),
        (Status(temperature_c=60.1), "too hot"),
        (Status(temperature_c=85.0), "too hot"),
        (Status(force_n=60.1), "pressed too hard"),
        (Status(stalled=True), "motor is blocked"),
        (Status(running=True, levels={"head": Level(10)}, battery_pct=90.0, temperature_c=99.0), "too hot"),
        (Status(running=False, battery_pct=1.0, temperature_c=20.0, force_n=0.0, stalled=False), "almost empty"),
    ],
)
async def test_a_device_that_reports_trouble_may_not_go_on(status: Status, says: str) -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    with pytest.raises(DeviceFaultError, match=says) as fault:
        gate.supervisor.judge(gate.device, status)
    assert fault.value.where == "gun"
    assert fault.value.fix


@pytest.mark.parametrize(
    "status",
    [
        Status(),
        Status(battery_pct=5.0),
        Status(battery_pct=100.0),
        Status(temperature_c=60.0),
        Status(temperature_c=-10.0),
        Status(force_n=60.0),
        Status(stalled=False),
        Status(running=True, battery_pct=5.0, temperature_c=60.0, force_n=60.0, stalled=False),
    ],
)
async def test_a_device_that_reports_nothing_bad_goes_on(status: Status) -> None:
    gate = Gate(GUN, work(GUN, "calves"))
    gate.supervisor.judge(gate.device, status)


# ---- for how long -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("region", REGIONS)
async def test_a_place_is_driven_no_longer_than_it_bears_whatever_the_plan_claims(region: str, side: Side) -> None:
    span = work(GUN, region, side, duration_s=5000.0, extra_s=5000.0)
    gate = Gate(GUN, span)
    most_s = REGIONS[region][2]
    assert gate.supervisor.allowed_s(span) == most_s
    gate.supervisor.count(span, most_s - 0.5)
    assert gate.supervisor.allowed_s(span) == 0.5
    gate.supervisor.count(span, 10.0)
    assert gate.supervisor.allowed_s(span) == 0.0, "never below"


async def test_a_place_gets_what_is_planned_and_may_be_added_and_no_more() -> None:
    span = work(GUN, "calves", duration_s=40.0, extra_s=15.0)
    again = work(GUN, "calves", duration_s=20.0, extra_s=15.0)
    gate = Gate(GUN, span, again)
    assert gate.supervisor.allowed_s(span) == 40.0 + 20.0 + 15.0


async def test_each_side_has_its_own_time_and_both_together_the_shorter() -> None:
    left, right = work(GUN, "piriformis", "left", duration_s=90.0), work(GUN, "piriformis", "right", duration_s=60.0)
    both = work(GUN, "piriformis", None, duration_s=0.0)
    gate = Gate(GUN, left, right, both)
    gate.supervisor.count(left, 50.0)
    assert gate.supervisor.allowed_s(left) == 40.0
    assert gate.supervisor.allowed_s(right) == 60.0
    assert gate.supervisor.allowed_s(both) == 40.0
    gate.supervisor.count(both, 30.0)
    assert (gate.supervisor.allowed_s(left), gate.supervisor.allowed_s(right)) == (10.0, 30.0)


async def test_a_place_without_a_name_gets_the_shortest_time() -> None:
    span = work(GUN, None, None, duration_s=5000.0)
    assert Gate(GUN, span).supervisor.allowed_s(span) == 60.0


@pytest.mark.parametrize(
    ("bounds", "allowed_s"),
    [
        ((Bound("had", region="calves", side="left", left_s=30.0),), 30.0),
        ((Bound("had", region="calves", left_s=30.0),), 30.0),
        ((Bound("had", left_s=30.0),), 30.0),
        ((Bound("had", left_s=30.0), Bound("had more", left_s=12.5)), 12.5),
        ((Bound("had", left_s=0.0),), 0.0),
        ((Bound("had", left_s=-40.0),), 0.0),
        ((Bound("plenty", left_s=300.0),), 120.0),
        ((Bound("had", region="calves", side="right", left_s=30.0),), 120.0),
        ((Bound("had", region="heel", left_s=30.0),), 120.0),
        ((Bound("short", session_s=100.0),), 100.0),
        ((Bound("short", session_s=100.0), Bound("shorter", session_s=99.0)), 99.0),
        ((Bound("short", session_s=100.0), Bound("had", left_s=30.0)), 30.0),
        ((Bound("short", session_s=0.0),), 0.0),
        ((Bound("long", session_s=5000.0),), 120.0),
    ],
)
async def test_what_is_left_today_bounds_a_place(bounds: tuple[Bound, ...], allowed_s: float) -> None:
    span = work(GUN, "calves", duration_s=500.0)
    assert Gate(GUN, span, bounds=bounds).supervisor.allowed_s(span) == allowed_s


@pytest.mark.parametrize(("bounds", "most_s"), [((), 900.0), ((Bound("short", session_s=200.0),), 200.0)])
async def test_a_whole_session_ends_after_a_quarter_of_an_hour_or_sooner(
    bounds: tuple[Bound, ...], most_s: float
) -> None:
    spans = [work(GUN, region, side, duration_s=120.0) for region in REGIONS for side in SIDES]
    gate = Gate(GUN, *spans, bounds=bounds)
    driven_s = 0.0
    for span in spans * 2:
        allowed_s = gate.supervisor.allowed_s(span)
        gate.supervisor.count(span, allowed_s)
        driven_s += allowed_s
    assert driven_s == most_s
    assert all(gate.supervisor.allowed_s(span) == 0.0 for span in spans)


# ---- stronger and softer ------------------------------------------------------------------------------------------


def driven_at(level: int, cap: int) -> Span:
    """A step that is planned for one level under a cap."""
    span = work(GUN, "calves")
    return replace(span, drives=(replace(span.drives[0], targets=((0.0, Level(level)),), cap_level=Level(cap)),))


async def test_stronger_and_softer_add_up_until_nothing_would_change() -> None:
    span = driven_at(1000, 1100)
    supervisor = Gate(GUN, span).supervisor
    change = supervisor.change(span, 0.0, 5.0)
    assert change == 5.0
    with pytest.raises(RefusedError, match="no stronger than 1100 here: the plan says so"):
        supervisor.change(span, change, 5.0)
    assert supervisor.change(span, change, -5.0) == 0.0


async def test_softer_ends_at_the_lowest_level() -> None:
    span = driven_at(1, 1000)
    with pytest.raises(RefusedError, match="this is the lowest level"):
        Gate(GUN, span).supervisor.change(span, 0.0, -5.0)


async def test_by_hand_there_is_nothing_to_make_stronger() -> None:
    span = replace(work(GUN, "calves"), drives=())
    with pytest.raises(RefusedError, match="nothing is driven"):
        Gate(GUN, span).supervisor.change(span, 0.0, 5.0)


# ---- a bound only ever tightens -----------------------------------------------------------------------------------

intensities = st.one_of(
    st.builds(Intensity, percent=st.floats(0, 200)),
    st.builds(Intensity, ppm=st.floats(0, 10_000)),
    st.sampled_from([Intensity(word="gentle"), Intensity(word="moderate"), Intensity(word="firm")]),
)
any_bounds = st.lists(
    st.builds(
        Bound,
        reason=st.just("a bound"),
        region=st.sampled_from([None, "calves", "heel", "hamstrings"]),
        side=st.sampled_from([None, "left", "right"]),
        device=st.sampled_from([None, "gun", "another"]),
        cap=st.none() | intensities,
        left_s=st.none() | st.floats(-100, 1000),
        session_s=st.none() | st.floats(0, 2000),
        is_refused=st.booleans(),
    ),
    max_size=4,
).map(tuple)


@pytest.mark.parametrize("profile", [GUN, PAD, RELAY], ids=lambda profile: str(profile.id))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    few=any_bounds,
    more=any_bounds,
    region=st.sampled_from([None, "calves", "heel", "hamstrings"]),
    side=st.sampled_from([None, "left", "right"]),
    level=st.integers(0, 2400),
    before=st.integers(0, 2400),
    duration_s=st.floats(0, 200),
)
def test_a_bound_never_loosens_anything(
    profile: Profile,
    few: tuple[Bound, ...],
    more: tuple[Bound, ...],
    region: str | None,
    side: Side | None,
    level: int,
    before: int,
    duration_s: float,
) -> None:
    side = side if region is not None else None
    span = work(profile, region, side, duration_s=duration_s)
    for risen_s in (None, 0.5, 1.0, 9.0, 10.0):
        loose, tight = Gate(profile, span, bounds=few), Gate(profile, span, bounds=few + more)
        passes = []
        for gate in (loose, tight):
            gate.supervisor.lease._until_s = gate.clock.now() + 100.0
            if risen_s is not None:
                gate.supervisor._rises["massager", span.drives[0].channel] = gate.clock.now() - risen_s
            cue = Cue(0.0, "massager", SetLevel(span.drives[0].channel, Level(level)))
            try:
                gate.supervisor.check(span, cue, Level(before))
                passes.append(True)
            except RefusedError:
                passes.append(False)
        assert passes[0] or not passes[1], "more bounds let something through that fewer refused"
        assert tight.supervisor.allowed_s(span) <= loose.supervisor.allowed_s(span)
