"""The habits of a firmware, one small profile each. Bytes are typed by hand; nothing here comes from our encoder."""

from __future__ import annotations

import pytest

from firmware_profiles.errors import PercussError
from simulators.clock import RunningClock
from simulators.device import SimulatedDevice
from tests.simulators.bench import Bench, profile_of
from tests.simulators.test_clock import World

GUN = """
roles = ["massager"]
ble = { service = "FFE0", write = "FFE1", notify = "FFE2" }
level = { unit = "level", full = 100 }
channels.head = {}
commands.set_level.frames = ["01 {level:u8}"]
commands.stop.frames = ["02"]
commands.query_status.frames = ["03"]
reports.status.frames = ["A0 {running:bool} {level:u8}"]
"""

LOCKED = """
roles = ["massager"]
level = { unit = "level", full = 100 }
channels.head = {}
parameters.pin = { says = "on its underside", default = "0000", pattern = "[0-9]{4}" }
commands.set_level.frames = ["01 {level:u8}"]
commands.stop.frames = ["02"]
init = [{ frame = "'PIN' {pin:ascii4}", expect = "welcome" }, { frame = "0F" }]
reports.welcome.frames = ["'OK' {mood:u8}"]
vectors = [{ source = "a test", report = "welcome", frame = "4F 4B 07", decoded = { mood = 7 } }]
simulator.needs_init = true

[ble]
service = "FFE0"
write = "FFE1"
notify = "FFE2"
wake = "5A 5A"
"""
PIN_0000, PIN_1234, SECOND = "50 49 4E 30 30 30 30", "50 49 4E 31 32 33 34", "0F"
WAKE, WELCOME = "5A 5A", "4F 4B 07"
RUN_64, STOP = "01 40", "02"

BED = """
roles = ["massager"]
ble = { service = "FFE0", write = "FFE1", notify = "FFE2" }
level = { unit = "level", model = "relative", full = 3 }
channels.head = { number = 1 }
channels.foot = { number = 2 }
commands.step_up.frames = ["10 {channel:u8}"]
commands.step_down.frames = ["20 {channel:u8}"]
commands.stop = { frames = ["20 {channel:u8}"], presses = 3 }
commands.query_status.frames = ["03"]
reports.status.frames = ["A0 {level.head:u8} {level.foot:u8}"]
simulator.spin_up_s = 0.5
"""

TOGGLED = """
roles = ["massager"]
ble = { service = "FFE0", write = "FFE1", notify = "FFE2" }
level = { unit = "switch", model = "toggle" }
channels.head = {}
commands.toggle.frames = ["07"]
commands.stop = { frames = ["07"], when = "running" }
commands.query_status.frames = ["03"]
reports.status.frames = ["A0 {running:bool}"]
simulator.spin_up_s = 5.0
"""

STARTED = """
roles = ["massager"]
ble = { service = "FFE0", write = "FFE1" }
level = { unit = "level", full = 100 }
channels.left = { number = 1 }
channels.right = { number = 2 }
commands.set_level.frames = ["01 {channel:u8} {level:u8}"]
commands.off.frames = ["04 {channel:u8}"]
commands.start.frames = ["05"]
commands.stop.frames = ["02"]
"""


# ---- the handshake


def test_a_locked_device_ignores_everything_until_wake_and_init_came_in_order() -> None:
    gun = Bench(profile_of(LOCKED))
    gun.write(RUN_64, PIN_0000, WAKE, RUN_64, SECOND, PIN_0000, RUN_64)
    assert gun.levels() == {"head": 0}
    assert len(gun.kinds("bad")) == 5, "all but the wake bytes and the first step after them"
    gun.write(SECOND, RUN_64)
    assert gun.levels() == {"head": 64}
    assert len(gun.kinds("bad")) == 5


def test_the_step_that_expects_a_report_is_answered_with_it_and_no_other_is() -> None:
    gun = Bench(profile_of(LOCKED))
    gun.write(WAKE, PIN_0000)
    assert gun.sent == [WELCOME]
    gun.write(SECOND)
    assert gun.sent == [WELCOME]


def test_a_wrong_pin_is_no_init() -> None:
    gun = Bench(profile_of(LOCKED))
    gun.write(WAKE, PIN_1234, SECOND, RUN_64)
    assert gun.levels() == {"head": 0}
    assert gun.sent == []
    assert "another parameter" in gun.kinds("bad")[0]["reason"]


def test_a_device_may_have_another_pin_than_the_default() -> None:
    remembering = LOCKED.replace(
        "simulator.needs_init = true", 'simulator = { needs_init = true, remembers = { pin = "1234" } }'
    )
    for gun in (Bench(profile_of(LOCKED), remembers={"pin": "1234"}), Bench(profile_of(remembering))):
        gun.write(WAKE, PIN_0000)
        assert gun.sent == []
        gun.write(PIN_1234, SECOND, RUN_64)
        assert gun.levels() == {"head": 64}


def test_a_pin_that_the_device_cannot_have_is_refused_with_a_sentence() -> None:
    with pytest.raises(PercussError, match="pin must fit"):
        Bench(profile_of(LOCKED), remembers={"pin": "12"})
    with pytest.raises(PercussError, match="no parameter 'pim'"):
        Bench(profile_of(LOCKED), remembers={"pim": "1234"})


def test_with_its_last_host_the_init_is_forgotten_and_the_motor_goes_on() -> None:
    gun = Bench(profile_of(LOCKED))
    gun.device.record_link(is_connected=True, count=1)
    gun.write(WAKE, PIN_0000, SECOND, RUN_64)
    gun.device.record_link(is_connected=False, count=0)
    gun.wait(60)
    assert gun.levels() == {"head": 64}
    gun.device.record_link(is_connected=True, count=1)
    gun.write(STOP)
    assert gun.levels() == {"head": 64}, "a stop before the init is ignored too"
    gun.write(WAKE, PIN_0000, SECOND, STOP)
    assert gun.levels() == {"head": 0}


def test_a_second_init_on_the_same_link_is_answered_again() -> None:
    gun = Bench(profile_of(LOCKED))
    gun.write(WAKE, PIN_0000, SECOND, RUN_64, WAKE, PIN_0000, SECOND)
    assert gun.sent == [WELCOME, WELCOME]
    assert gun.levels() == {"head": 64}
    assert gun.kinds("bad") == []


def test_a_device_that_needs_no_init_answers_one_and_obeys_without() -> None:
    gun = Bench(profile_of(LOCKED), needs_init=False)
    gun.write(RUN_64, PIN_1234)
    assert gun.levels() == {"head": 64}
    assert gun.sent == [WELCOME]


def test_a_step_that_comes_twice_has_to_come_twice() -> None:
    twice = LOCKED.replace('{ frame = "0F" }', '{ frame = "0F" }, { frame = "0F" }')
    gun = Bench(profile_of(twice))
    gun.write(WAKE, PIN_0000, SECOND, RUN_64)
    assert gun.levels() == {"head": 0}
    gun.write(SECOND, RUN_64)
    assert gun.levels() == {"head": 64}


def test_a_device_with_two_links_sleeps_only_on_the_one_that_has_wake_bytes() -> None:
    both = profile_of(f"serial = {{ baud = 9600 }}\n{LOCKED}")
    gun = Bench(both, over="serial")
    gun.write(PIN_0000, SECOND, RUN_64)
    assert gun.levels() == {"head": 64}
    assert {entry["link"] for entry in gun.kinds("rx")} == {"serial"}
    gun = Bench(both, over="ble")
    gun.write(PIN_0000, SECOND, RUN_64)
    assert gun.levels() == {"head": 0}


# ---- levels that step, toggle, or wait for a start


def test_presses_step_and_end_at_both_ends() -> None:
    bed = Bench(profile_of(BED))
    bed.write(*["10 01"] * 5, "10 02")
    assert bed.levels() == {"head": 3, "foot": 1}
    bed.write(*["20 01"] * 2)
    assert bed.levels() == {"head": 1, "foot": 1}
    bed.write(*["20 01"] * 4)
    assert bed.levels() == {"head": 0, "foot": 1}


def test_a_device_that_counts_presses_reports_what_it_counted_while_its_motors_still_speed_up() -> None:
    bed = Bench(profile_of(BED))
    bed.write("10 01", "10 01", "10 02", "03")
    assert bed.sent == ["A0 02 01"]


def test_a_toggle_turns_on_what_is_off_and_off_what_is_on() -> None:
    gun = Bench(profile_of(TOGGLED))
    gun.write("07")
    assert gun.levels() == {"head": 1}
    gun.write("07")
    assert gun.levels() == {"head": 0}


def test_a_toggled_device_that_coasts_says_that_it_is_off_because_a_press_would_turn_it_on() -> None:
    gun = Bench(profile_of(TOGGLED))
    gun.write("07")
    gun.wait(60)
    gun.write("07")
    gun.wait(1)
    assert gun.device.motors["head"].turns
    gun.write("03")
    assert gun.sent == ["A0 00"]


def test_a_stop_that_toggles_starts_what_stands_still() -> None:
    toggling = GUN.replace('commands.stop.frames = ["02"]', 'commands.stop = { frames = ["02"], when = "running" }')
    gun = Bench(profile_of(toggling))
    gun.write(RUN_64, STOP)
    assert gun.levels() == {"head": 0}
    gun.write(STOP)
    assert gun.levels() == {"head": 64}


def test_a_level_before_the_start_runs_only_from_the_start_on() -> None:
    pad = Bench(profile_of(STARTED))
    pad.write("01 01 32", "01 02 46")
    assert pad.levels() == {"left": 0, "right": 0}
    pad.write("05")
    assert pad.levels() == {"left": 50, "right": 70}


def test_off_is_one_channel_and_when_all_are_off_the_start_is_needed_again() -> None:
    pad = Bench(profile_of(STARTED))
    pad.write("05", "01 01 32", "01 02 46", "04 01")
    assert pad.levels() == {"left": 0, "right": 70}
    pad.write("04 02", "01 01 32")
    assert pad.levels() == {"left": 0, "right": 0}
    pad.write("05")
    assert pad.levels() == {"left": 50, "right": 0}


def test_a_stop_forgets_what_waited_for_the_start() -> None:
    pad = Bench(profile_of(STARTED))
    pad.write("01 01 32", "02", "05")
    assert pad.levels() == {"left": 0, "right": 0}


def test_one_frame_may_set_every_zone() -> None:
    text = STARTED.replace("01 {channel:u8} {level:u8}", "01 {level.left:u8} {level.right:u8}")
    pad = Bench(profile_of(text))
    pad.write("05", "01 0A 14")
    assert pad.levels() == {"left": 10, "right": 20}


# ---- what the device does by itself


def test_the_motors_stop_when_the_host_has_been_silent_for_the_heartbeat() -> None:
    gun = Bench(profile_of(GUN), heartbeat_s=5.0)
    gun.write(RUN_64)
    gun.wait(4)
    gun.write("03")
    gun.wait(4.9)
    assert gun.levels() == {"head": 64}
    gun.wait(0.2)
    assert gun.levels() == {"head": 0}
    assert [(entry["fault"], entry["t_s"]) for entry in gun.kinds("fault")] == [("heartbeat_missed", 9)]


def test_what_is_no_command_is_no_sign_of_life() -> None:
    gun = Bench(profile_of(GUN), heartbeat_s=5.0)
    gun.write(RUN_64)
    gun.wait(4)
    gun.write("FF FF")
    gun.wait(1.1)
    assert gun.levels() == {"head": 0}


def test_a_keepalive_keeps_the_heartbeat_and_not_the_lease() -> None:
    text = f'{GUN}keepalive = {{ frames = ["0E"], period_s = 1 }}'
    for gun, level in (
        (Bench(profile_of(text), heartbeat_s=2.0), 64),
        (Bench(profile_of(text), lease_s=2.0), 0),
    ):
        gun.write(RUN_64)
        for _ in range(5):
            gun.wait(1)
            gun.write("0E")
        assert gun.levels() == {"head": level}


def test_a_level_that_is_sent_again_renews_the_lease_and_its_end_is_recorded() -> None:
    gun = Bench(profile_of(GUN), lease_s=1.0)
    for _ in range(10):
        gun.write(RUN_64)
        gun.wait(0.75)
    assert gun.levels() == {"head": 64}
    gun.wait(0.25)
    assert gun.levels() == {"head": 0}
    assert [(entry["fault"], entry["t_s"]) for entry in gun.kinds("fault")] == [("lease_expired", 7.75)]


def test_in_accelerated_time_a_lease_lasts_as_many_seconds_of_the_world_because_hosts_get_no_faster() -> None:
    world = World()
    clock = RunningClock(200, mono=world)
    gun = SimulatedDevice(Bench(profile_of(GUN), lease_s=1.0).profile, clock=clock)
    for _ in range(3):
        gun.receive(bytes.fromhex(RUN_64))
        world.now_s += 0.75
        assert gun.state()["channels"]["head"]["level_asked"] == 64
    world.now_s += 0.5
    assert gun.state()["channels"]["head"]["level_asked"] == 0


def test_a_device_at_rest_misses_nobody() -> None:
    gun = Bench(profile_of(GUN), lease_s=1.0, heartbeat_s=1.0)
    gun.wait(3600)
    assert gun.entries == []


def test_the_status_is_pushed_while_a_host_is_there() -> None:
    gun = Bench(profile_of(GUN), pushes_status_s=2.0)
    gun.wait(10)
    assert gun.sent == []
    gun.device.record_link(is_connected=True, count=1)
    gun.wait(7)
    assert [entry["t_s"] for entry in gun.kinds("tx")] == [12, 14, 16]
    gun.device.record_link(is_connected=False, count=0)
    gun.wait(10)
    assert gun.sent == ["A0 00 00"] * 3


def test_a_device_that_waits_for_its_init_pushes_nothing() -> None:
    text = LOCKED + '\n[reports.status]\nframes = ["A0 {running:bool}"]'
    gun = Bench(profile_of(text), pushes_status_s=2.0)
    gun.device.record_link(is_connected=True, count=1)
    gun.wait(10)
    assert gun.sent == []
    gun.write(WAKE, PIN_0000, SECOND)
    gun.wait(2)
    assert gun.sent == [WELCOME, "A0 00"]


def test_a_status_with_several_frames_uses_them_in_turn() -> None:
    text = GUN.replace('["A0 {running:bool} {level:u8}"]', '["A0 {running:bool}", "A1 {level:u8}"]')
    gun = Bench(profile_of(text), rotates_status=True)
    gun.write("03", "03", "03")
    assert gun.sent == ["A0 00", "A1 00", "A0 00"]
    gun = Bench(profile_of(text))
    gun.write("03", "03")
    assert gun.sent == ["A0 00", "A0 00"]


def test_what_percuss_does_not_use_is_0_in_a_status_or_the_word_of_its_vector() -> None:
    text = GUN.replace(
        'reports.status.frames = ["A0 {running:bool} {level:u8}"]',
        """
        reports.status = { frames = ["A0 {running:bool} {angle:u16be} {mood:moods}"], also = ["angle", "mood"] }
        lookups.moods = { calm = "'C'", cross = "'X'" }
        [[vectors]]
        source = "a test"
        report = "status"
        frame = "A0 01 00 09 43"
        decoded = { running = true, angle = 9, mood = "calm" }
        """,
    )
    gun = Bench(profile_of(text))
    gun.write("03")
    assert gun.sent == ["A0 00 00 00 43"]
