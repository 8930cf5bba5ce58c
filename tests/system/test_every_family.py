"""Every bundled massager the whole way: found, paired, run and stopped over the link that it speaks.

The simulator is a process of its own, and its recorder is the witness. What is expected is read from the plan and the
profile, so a new profile is tested by being there.
"""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest

from controller import api
from controller.events import DeviceStopped, Event
from controller.service import pairing, scanning
from controller.service.observation import observe
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from routines.library import find_routine
from routines.loader import Routine, parse_routine
from routines.planner import plan
from routines.timeline import Drive, Timeline
from tests.helpers.processes import RunningSimulator, simulator

FASTEST = 240.0
SPAN_S = 30
"""How long each zone runs where the routine is made for the device: as short as a routine's steps usually are."""

SCAN_S = 0.5
"""Several times the interval at which simulators advertise."""


def families() -> list[Any]:
    cases = []
    for path in sorted(BUNDLED.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        links = [option for option, key in (("--ble", "ble"), ("--pty", "serial")) if key in table]
        if "massager" in table["roles"]:
            cases += [pytest.param(path, link, id=f"{path.stem}{link}") for link in links]
    return cases


@pytest.mark.parametrize(("path", "link"), families())
async def test_a_session_moves_what_the_plan_says_and_leaves_everything_at_rest(
    path: Path, link: str, tmp_path: Path
) -> None:
    profile = load_profile(path)
    speed = speed_for(profile)
    with simulator(tmp_path, profile.id, link, "--speed", str(speed)) as device:
        found = await find(device)
        assert profile.id in [candidate.profile.id for candidate in found.candidates]
        assert found.profile in {profile.id, None}, "what is offered may be several; what is chosen is nothing else"
        paired = await pairing.pair(
            found.url, profile, name="it", emit=lambda _: None, parameters=profile.simulator.remembers
        )
        assert paired.stop.proof in proofs_of(profile)

        timeline, happened = await run_on("it", routine_for(profile), speed)

        assert [event.proof for event in happened if isinstance(event, DeviceStopped)][-1] in proofs_of(profile)
        await comes_to_rest(device)
        asked = highest_levels(timeline)
        assert asked, "the plan drives something"
        assert {name for name, level in witnessed(device, "level").items() if level} == set(asked)
        assert {name for name, ppm in witnessed(device, "ppm").items() if ppm} == set(asked)
        capabilities = profile.capabilities()
        for name, level in witnessed(device, "level").items():
            levels = capabilities.channels[name].levels
            assert level <= asked.get(name, 0), name
            assert levels.percent(level) <= capabilities.cap_percent, name
        seen = observe(device.record, happened)
        driven = {(span.region, span.side) for span in timeline.spans if span.drives}
        assert {(dose.region, dose.side) for dose in seen.places if dose.driven_s > 0} == driven
        assert seen.at_rest


LATE_S = 5.0
"""How late, in a session's seconds, a level may come: much less than its shortest span."""


def speed_for(profile: Profile) -> float:
    """As fast as time may run: links do not get faster with it.

    A device that counts presses, so many a second, must come from anywhere to its first level while a zone runs; one
    that bears few writes a second must get a level past the questions about its status before the shortest span ends.
    """
    table, level = profile.commands.step_up, profile.level
    if table is None or level is None:
        commands = profile.commands.given().values()
        gaps_s = (profile.write_gap_s(is_stream=False), profile.write_gap_s(is_stream=True))
        gap_s = max(*gaps_s, *(command.gap_s * len(command.frames) for command in commands))
        return min(FASTEST, LATE_S / (2 * gap_s)) if gap_s else FASTEST
    # Down from wherever it is, which nobody knows after an "off", and then up.
    press_s = len(table.frames) * max(table.gap_s, profile.write_gap_s(is_stream=False))
    presses_s = 2 * (level.levels().full + 1) * press_s
    return min(FASTEST, SPAN_S * 2 / 3 / presses_s) if presses_s else FASTEST


async def find(device: RunningSimulator) -> scanning.Found:
    """What a scan finds at the simulator's URL, over its own air where it is on Bluetooth."""
    result = await scanning.scan(SCAN_S, adapter=scanning.hci_of(device.url))
    (found,) = [one for one in result.found if one.url == device.url]
    return found


def routine_for(profile: Profile) -> Routine:
    """Sciatica relief, or, where that moves nothing, one that goes through the zones of the device."""
    relief = find_routine("sciatica-relief")
    if drives_of(plan(relief, {"massager": profile.capabilities()})):
        return relief
    steps = [
        f'[[steps]]\ntechnique = "percussion"\nintensity = "firm"\nduration = "{SPAN_S}s"\n'
        f'region = "{channel.region}"\nside = "{channel.side or "both"}"\n'
        for channel in profile.channels.values()
    ]
    text = 'schema = 1\nname = "zones"\ntitle = "Zones"\nsources = ["a test"]\n' + "".join(dict.fromkeys(steps))
    return parse_routine(text.encode(), Path("zones.toml"))


async def run_on(name: str, routine: Routine, speed: float) -> tuple[Timeline, list[Event]]:
    """Run a routine on a paired device, as `percuss run` does; the plan, and what happened."""
    async with api.session(routine, massager=name, speed=speed) as session:
        ended = await session.ended()
    assert ended.outcome == "done", ended
    return session.plan, list(session.happened)


async def comes_to_rest(device: RunningSimulator) -> None:
    """Wait until every motor stands still; the test's timeout ends a wait in vain."""
    while any(line["ppm"] or line["level"] for line in last_lines(device).values()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def last_lines(device: RunningSimulator) -> dict[str, dict[str, Any]]:
    return {line["channel"]: line for line in device.recorded("motor")}


def witnessed(device: RunningSimulator, key: str) -> dict[str, int]:
    """The highest level or speed of each channel that the simulator recorded."""
    highest: dict[str, int] = {}
    for line in device.recorded("motor"):
        highest[line["channel"]] = max(highest.get(line["channel"], 0), line[key])
    return highest


def highest_levels(timeline: Timeline) -> dict[str, int]:
    """The highest level that the plan asks each channel for, where it asks for any."""
    highest: dict[str, int] = {}
    for drive in drives_of(timeline):
        for _, level in drive.targets:
            highest[drive.channel] = max(highest.get(drive.channel, 0), level)
    return {name: level for name, level in highest.items() if level}


def drives_of(timeline: Timeline) -> list[Drive]:
    return [drive for span in timeline.spans for drive in span.drives]


def proofs_of(profile: Profile) -> set[str]:
    """How a stop of this device may be proved. One that speaks only when it likes may be too late for it."""
    if not profile.reports_status:
        return {"cannot_report"}
    return {"confirmed"} if profile.commands.query_status is not None else {"confirmed", "cannot_report"}
