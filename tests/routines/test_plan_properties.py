"""Whatever routine meets whatever device: the limits hold. The numbers are typed in, not read from regions.toml."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st

from firmware_profiles.capabilities import Capabilities, Channel, Levels, Role
from firmware_profiles.commands import SetLevel, Stop
from firmware_profiles.units import Level, Percent, Ppm
from routines.errors import PlanRefusedError
from routines.planner import plan, plan_hold
from routines.timeline import Drive, Span, Timeline
from tests.routines.devices import routine, step
from tests.routines.test_regions import LIMITS

SIDES = ["left", "right"]


@st.composite
def levels(draw: st.DrawFn) -> Levels:
    full_ppm = draw(st.none() | st.integers(600, 4000).map(Ppm))
    kind = draw(st.sampled_from(["ppm", "range", "steps", "switch"]))
    if kind == "switch":
        return Levels(Level(1), Level(1), (Level(1),))
    if kind == "steps":
        steps = tuple(Level(n) for n in sorted(draw(st.sets(st.integers(1, 100), min_size=2, max_size=12))))
        return Levels(steps[0], steps[-1], steps, full_ppm)
    full = draw(st.integers(1, 3000 if kind == "ppm" else 20))
    lowest = draw(st.sampled_from([1, 1, 1, full // 3, full // 2, full * 3 // 4, full]))
    return Levels(Level(max(1, lowest)), Level(full), None, Ppm(full) if kind == "ppm" else full_ppm)


caps = st.sampled_from([100.0, 87.5, 75.0]) | st.floats(1, 100)


@st.composite
def devices(draw: st.DrawFn) -> Capabilities:
    if draw(st.booleans()):
        channels = {"head": Channel("head", draw(levels()))}
    else:
        places = draw(st.sets(st.tuples(st.sampled_from(sorted(LIMITS)), st.sampled_from(SIDES)), min_size=4))
        channels = {f"{r}_{s}": Channel(f"{r}_{s}", draw(levels()), r, s) for r, s in sorted(places)}  # type: ignore[arg-type]
    return Capabilities("any", ("massager", "timer"), channels, Percent(draw(caps)), "drawn")


with_massager = st.fixed_dictionaries({"massager": devices()}, optional={"massager2": devices(), "timer": devices()})
without_massager = st.fixed_dictionaries({}, optional={"timer": devices()})
bindings = st.sampled_from([True] * 7 + [False]).flatmap(lambda bound: with_massager if bound else without_massager)

words = st.sampled_from(["gentle", "moderate", "firm"])
numbers = st.integers(1, 100).map(lambda n: f"{n}%") | st.integers(1, 2500).map(lambda n: f"{n} ppm")
intensities = st.sampled_from([words, words, words, numbers]).flatmap(lambda kind: kind)

presses = st.builds(
    step,
    st.sampled_from(sorted(LIMITS)),
    st.sampled_from([*SIDES, "both", "each"]),
    technique=st.sampled_from(
        ["percussion", "effleurage", "kneading", "circles", "hold", "pressure-and-release", "stretch"]
    ),
    intensity=intensities,
    duration=st.integers(2, 60) | st.integers(10, 30),
    ramp=st.integers(0, 2),
    rest=st.sampled_from([0, 0.2, 5]),
    move=st.sampled_from([0, 3, 8]),
    repeat=st.sampled_from([1, 1, 2]),
)


@st.composite
def curved(draw: st.DrawFn) -> str:
    times = sorted(draw(st.sets(st.integers(1, 50), max_size=4)))
    points = [(0, draw(intensities)), *((at_s, draw(intensities | st.just("0%"))) for at_s in times)]
    curve = ", ".join(f'{{ at = {at_s}, intensity = "{intensity}" }}' for at_s, intensity in points)
    place = step(draw(st.sampled_from(sorted(LIMITS))), draw(st.sampled_from([*SIDES, "both", "each"])), duration=60)
    return f"{place}\ncurve = [{curve}]"


@st.composite
def together(draw: st.DrawFn) -> str:
    """Two or three places at once, each as strong as it likes."""
    places = st.builds(step, st.sampled_from(sorted(LIMITS)), st.sampled_from([*SIDES, "both"]), intensity=intensities)
    first = draw(places) + f"\nduration = {draw(st.integers(5, 60))}"
    return "\n[[steps]]\n".join(
        [first, *(f"{each}\ntogether = true" for each in draw(st.lists(places, min_size=1, max_size=2)))]
    )


others = st.sampled_from(['technique = "breathing"\nduration = 1', 'technique = "rest"\nduration = 2.2'])
routines = st.lists(presses | others | curved() | together(), min_size=1, max_size=4).map(lambda steps: routine(*steps))


def ppm_of(drive: Drive, level: float) -> float:
    """How fast a level is, unrounded; a device that knows only levels counts as 2400 at its full scale."""
    return level * (drive.levels.full_ppm or 2400) / drive.levels.full


def check_order_and_end(timeline: Timeline) -> None:
    cues = timeline.cues()
    times = [cue.at_s for cue in cues]
    assert times == sorted(times)
    assert all(0 <= at_s <= timeline.duration_s + 1e-9 for at_s in times)
    stops = cues[len(cues) - len(timeline.roles) :]
    assert [cue.role for cue in stops if cue.command == Stop()] == list(timeline.roles)


def check_channels_are_off_between_spans(timeline: Timeline) -> None:
    for span in timeline.spans:
        level: dict[tuple[str, str], int] = {}
        for cue in span.cues():
            assert 0 <= cue.at_s <= span.duration_s
            assert isinstance(cue.command, SetLevel)
            level[cue.role, cue.command.channel] = cue.command.level
        assert not any(level.values())


def check_rises(span: Span, drive: Drive, gentle_ppm: float) -> None:
    """At most 250 ppm or one level a step; a second between steps, ten above gentle."""
    commands = [(c.at_s, c.command.level) for c in drive.cues(span.duration_s) if isinstance(c.command, SetLevel)]
    all_levels = drive.levels.steps or range(drive.levels.lowest, drive.levels.full + 1)
    last_rise_s: float | None = None
    for (_, before), (at_s, after) in pairwise([(0.0, 0), *commands]):
        assert drive.levels.accepts(after)
        if after <= before:
            continue
        one_level_up = next(level for level in all_levels if level > before)
        assert after == one_level_up or ppm_of(drive, after) - ppm_of(drive, before) <= 250 + 1e-3
        if last_rise_s is not None:
            assert at_s - last_rise_s >= (10 if ppm_of(drive, after) > gentle_ppm + 1e-3 else 1) - 1e-9
        last_rise_s = at_s


def check_places(span: Span, bound: dict[Role, Capabilities]) -> None:
    channels = [(drive.role, drive.channel) for drive in span.drives]
    assert len(set(channels)) == len(channels), "a motor is at one place"
    for drive in span.drives:
        assert drive.place is not None
        assert drive.place.region in {place.region for place in span.places}
        _, _, gentle_ppm, cap_ppm = LIMITS[drive.place.region]
        check_caps(span, drive, bound[drive.role], cap_ppm or 0, gentle_ppm or 0)


def check_caps(span: Span, drive: Drive, massager: Capabilities, cap_ppm: float, gentle_ppm: float) -> None:
    if drive.levels.is_switch:
        assert "by hand" in span.note
        return
    device_ppm = (drive.levels.full_ppm or 2400) * massager.cap_percent / 100
    cap = min(cap_ppm, device_ppm) + 1e-3
    # Not even a person who turns it up all the way gets above the cap.
    for change_percent in (0.0, 100.0):
        for cue in drive.cues(span.duration_s, change_percent=change_percent):
            assert isinstance(cue.command, SetLevel)
            assert ppm_of(drive, cue.command.level) <= cap
    check_rises(span, drive, min(gentle_ppm, device_ppm))


@settings(max_examples=400, deadline=None)
@given(routines, bindings)
def test_no_plan_passes_a_limit_overlaps_goes_back_in_time_or_lacks_its_stop(
    any_routine: object, bound: dict[Role, Capabilities]
) -> None:
    try:
        timeline = plan(any_routine, bound)  # type: ignore[arg-type]
    except PlanRefusedError as problem:
        event("refused")
        told = (problem.line is not None, problem.key.startswith("steps."))
    else:
        event("driven" if any(span.drives for span in timeline.spans) else "by hand")
        check_plan(timeline, bound)
        told = (True, True)
    assert told == (True, True), "a refusal names line and key"


def check_plan(timeline: Timeline, bound: dict[Role, Capabilities]) -> None:
    check_order_and_end(timeline)
    check_channels_are_off_between_spans(timeline)
    if any(span.drives for span in timeline.spans):
        assert timeline.duration_s <= 900
    used_s: dict[tuple[str, str], float] = defaultdict(float)
    for span in timeline.spans:
        assert span.duration_s > 0
        if span.kind != "work" or span.region is None or span.technique == "stretch":
            assert not span.drives
            continue
        check_places(span, bound)
        assert span.drives or span.note
        for place in span.places:
            for side in place.sides:
                used_s[place.region, side] += span.duration_s
    check_time_of_places(timeline, used_s)


def check_time_of_places(timeline: Timeline, used_s: dict[tuple[str, str], float]) -> None:
    for (region, _), total_s in used_s.items():
        assert total_s <= LIMITS[region][1]
    for span in timeline.spans:
        if span.kind != "work" or span.technique == "stretch":
            continue
        for place in span.places:
            longest_s = max(used_s[place.region, side] for side in place.sides)
            assert span.extra_max_s <= LIMITS[place.region][1] - longest_s + 1e-9


@settings(max_examples=300, deadline=None)
@given(
    st.floats(),
    st.floats(),
    st.fixed_dictionaries({}, optional={"massager": devices()}),
    st.none() | st.sampled_from([*sorted(LIMITS), "neck", "nonsense"]),
    st.sampled_from([None, "left", "right"]),
)
def test_no_hold_passes_a_limit(
    percent: float, duration_s: float, bound: dict[Role, Capabilities], region: str | None, side: str | None
) -> None:
    try:
        timeline = plan_hold(percent, duration_s, bound, region=region, side=side)  # type: ignore[arg-type]
    except PlanRefusedError:
        return
    check_order_and_end(timeline)
    check_channels_are_off_between_spans(timeline)
    _, max_s, gentle_ppm, cap_ppm = LIMITS[region] if region else (0, 60, 1200, 1600)
    assert timeline.duration_s <= max_s
    for drive in timeline.spans[0].drives:
        check_caps(timeline.spans[0], drive, bound["massager"], cap_ppm or 0, gentle_ppm or 0)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(0.1, 100),
    st.floats(1, 60),
    st.fixed_dictionaries({"massager": devices()}),
)
def test_no_sensible_hold_passes_a_limit(percent: float, duration_s: float, bound: dict[Role, Capabilities]) -> None:
    try:
        timeline = plan_hold(percent, duration_s, bound)
    except PlanRefusedError:
        return
    for drive in timeline.spans[0].drives:
        check_caps(timeline.spans[0], drive, bound["massager"], 1600, 1200)
