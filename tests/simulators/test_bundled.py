"""Every bundled profile as a device: it takes the frames of its own vectors and answers what it can be asked.

The bytes are those that the vectors pin to their sources.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.codec import Codec
from firmware_profiles.commands import BadFrame, Status, Version
from firmware_profiles.library import BUNDLED
from firmware_profiles.links import Link
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from tests.simulators.bench import Bench

PATHS = sorted(BUNDLED.glob("*.toml"))
every_profile = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
known = cache(load_profile)


def links(profile: Profile) -> list[Link]:
    tables: list[tuple[Link, object]] = [("ble", profile.ble), ("serial", profile.serial)]
    return [link for link, table in tables if table is not None]


def greeted(profile: Profile, link: Link) -> Bench:
    """A device whose host has come and said what has to be said first."""
    bench = Bench(profile, over=link, pushes_status_s=None)
    mine = profile.with_parameters(profile.simulator.remembers)
    bench.device.record_link(is_connected=True, count=1)
    if link == "ble" and profile.ble is not None and profile.ble.wake is not None:
        bench.write(profile.ble.wake)
    for step in Codec(mine, link).init_steps():
        bench.device.receive(step.write.data)
    return bench


@every_profile
def test_it_listens_after_its_init_and_answers_each_step_that_expects_it(path: Path) -> None:
    profile = known(path)
    for link in links(profile):
        bench = greeted(profile, link)
        assert bench.device.state()["listens"]
        assert bench.kinds("bad") == []
        assert len(bench.sent) == sum(step.expect is not None for step in profile.init)


@every_profile
def test_it_answers_what_it_can_be_asked_with_reports_that_a_host_understands(path: Path) -> None:
    profile = known(path)
    for link in links(profile):
        for query, report in (("query_status", Status), ("query_version", Version)):
            if query not in profile.commands.given() or query.removeprefix("query_") not in profile.reports:
                continue
            bench, host = greeted(profile, link), Codec(profile, link)
            before = len(bench.sent)
            for write in host.raw_writes(query, {}):
                bench.device.receive(write.data)
            heard = [one for data in bench.sent[before:] for one in host.feed(bytes.fromhex(data))]
            assert report in [type(one) for one in heard]
            assert not any(isinstance(one, BadFrame) for one in heard)


@every_profile
def test_no_frame_of_its_vectors_is_foreign_to_it(path: Path) -> None:
    profile = known(path)
    for link in links(profile):
        for vector in profile.vectors:
            bench = greeted(profile, link)
            bench.write(*vector.writes)
            foreign = [entry for entry in bench.kinds("bad") if entry["hex"]]
            assert foreign == [], vector.source


@every_profile
def test_its_stop_brings_every_motor_to_rest_from_its_highest_level(path: Path) -> None:
    profile = known(path)
    if profile.level is None:
        return
    full = profile.level.levels().full
    for link in links(profile):
        bench, host = greeted(profile, link), Codec(profile, link)
        ups = {"absolute": ("set_level", 1), "relative": ("step_up", full), "toggle": ("toggle", 1)}
        name, times = ups[profile.level.model]
        if profile.commands.start is not None:
            bench.write(*(write.data.hex() for write in host.raw_writes("start", {})))
        for channel in profile.channels:
            others = {f"level.{other}": full for other in profile.channels}
            values = {"channel": channel, **({"level": full, **others} if name == "set_level" else {})}
            bench.write(*[write.data.hex() for write in host.raw_writes(name, values)] * times)
        assert set(bench.levels().values()) == {full}
        bench.write(*(write.data.hex() for write in host.stop_writes()))
        assert set(bench.levels().values()) == {0}


@given(st.sampled_from(PATHS), st.data())
def test_nothing_that_a_host_may_write_upsets_a_device(path: Path, data: st.DataObject) -> None:
    profile = known(path)
    writes = sorted({bytes.fromhex(write) for vector in profile.vectors for write in vector.writes})
    pieces = data.draw(st.lists(st.sampled_from(writes) | st.binary(max_size=30), max_size=20))
    link = data.draw(st.sampled_from(links(profile)))
    bench = Bench(profile, over=link)
    for piece in pieces:
        bench.device.receive(piece)
        bench.wait(data.draw(st.sampled_from([0, 0.3, 40])))
    assert len(bench.kinds("rx")) == len(pieces)
    json.dumps(bench.device.state(), allow_nan=False)
    full = profile.level.levels().full if profile.level is not None else 0
    highest = max(full, (profile.level.protocol_max or 0) if profile.level is not None else 0)
    assert all(0 <= level <= highest for level in bench.levels().values())
