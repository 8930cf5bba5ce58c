"""Levels that are stepped, toggled or sent all at once, timers and handshakes: what frames depend on besides text.

The devices are made up; every expected byte follows from the few lines that describe them.
"""

import pytest

from firmware_profiles.codec import Codec
from firmware_profiles.commands import (
    BadFrame,
    Interval,
    LoadSchedule,
    PauseTimer,
    Said,
    SetLevel,
    SetTimer,
    Status,
    Stop,
    Write,
)
from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.firmware import FirmwareCodec, Received
from firmware_profiles.units import Level
from tests.helpers.profile_text import OVER_SERIAL, TOGGLE, profile_from

STEPS = """
[level]
unit = "level"
model = "relative"
full = 3
[channels.head]
codes = { up = "10", down = "11" }
[channels.foot]
codes = { up = "12", down = "13" }
[commands.step_up]
frames = ["A0 {channel.up}", "A0 00"]
gap_s = 0.1
[commands.step_down]
frames = ["A0 {channel.down}", "A0 00"]
gap_s = 0.1
[commands.stop]
frames = ["A0 {channel.down}", "A0 00"]
presses = 3
gap_s = 0.1
[reports.status]
frames = ["B0 {level.head:u8} {level.foot:u8}"]
"""

ALL_AT_ONCE = """
[level]
unit = "level"
full = 10
[channels.head]
[channels.foot]
[commands.start]
frames = ["AA"]
[commands.set_level]
frames = ["12 {level.head:u8} {level.foot:u8} 00"]
[commands.stop]
frames = ["12 00 00 00"]
"""


def sent(codec: Codec, command: SetLevel | Stop | SetTimer) -> list[str]:
    """The bytes of a command that then goes out."""
    writes = codec.encode(command)
    codec.note_sent(command)
    return [write.data.hex(" ").upper() for write in writes]


def test_a_device_that_only_steps_is_taken_to_zero_before_the_first_step_up() -> None:
    codec = Codec(profile_from(STEPS))
    down, up, release = "A0 11", "A0 10", "A0 00"
    assert sent(codec, SetLevel("head", Level(1))) == [down, release] * 3 + [up, release]
    assert sent(codec, SetLevel("head", Level(3))) == [up, release] * 2
    assert sent(codec, SetLevel("head", Level(2))) == [down, release]
    assert sent(codec, SetLevel("foot", Level(1))) == ["A0 13", release] * 3 + ["A0 12", release]


def test_off_is_stepped_all_the_way_down_wherever_it_is_believed_to_be() -> None:
    codec = Codec(profile_from(STEPS))
    sent(codec, SetLevel("head", Level(1)))
    assert sent(codec, SetLevel("head", Level(0))) == ["A0 11", "A0 00"] * 3


def test_after_a_stop_counting_begins_at_zero_and_after_a_lost_link_nowhere() -> None:
    codec = Codec(profile_from(STEPS))
    codec.note_stopped()
    assert sent(codec, SetLevel("foot", Level(1))) == ["A0 12", "A0 00"]
    codec.note_lost()
    assert len(sent(codec, SetLevel("foot", Level(1)))) == 8  # three down, one up, each with its release


def test_a_device_that_says_a_higher_level_than_was_counted_is_believed() -> None:
    codec = Codec(profile_from(STEPS))
    codec.note_stopped()
    sent(codec, SetLevel("head", Level(1)))
    assert codec.feed(bytes([0xB0, 2, 0])) == [Status(levels={"head": Level(2), "foot": Level(0)})]
    assert sent(codec, SetLevel("head", Level(2))) == []
    codec.feed(bytes([0xB0, 0, 0]))  # older than the last press, perhaps
    assert sent(codec, SetLevel("head", Level(3))) == ["A0 10", "A0 00"]


def test_a_stop_by_steps_presses_down_for_every_channel_and_waits_between() -> None:
    writes = Codec(profile_from(STEPS)).stop_writes()
    assert [write.data.hex(" ").upper() for write in writes] == ["A0 11", "A0 00"] * 3 + ["A0 13", "A0 00"] * 3
    assert {write.gap_s for write in writes} == {0.1}


def test_the_firmware_takes_a_press_for_a_step_and_its_release_for_nothing() -> None:
    firmware = FirmwareCodec(profile_from(STEPS))
    assert firmware.feed(bytes.fromhex("A0 12")) == [Received("step_up", "foot")]
    assert firmware.feed(bytes.fromhex("A0 00")) == [Received("part")]


def test_a_toggle_is_pressed_only_where_it_changes_something() -> None:
    codec = Codec(profile_from(TOGGLE))
    with pytest.raises(ValueRefusedError, match="has not said yet whether it runs"):
        codec.encode(SetLevel("motor", Level(1)))
    codec.feed(bytes([0xB0, 0]))
    assert sent(codec, SetLevel("motor", Level(1))) == ["5A"]
    assert sent(codec, SetLevel("motor", Level(1))) == []
    assert sent(codec, SetLevel("motor", Level(0))) == ["5A"]
    codec.feed(bytes([0xB0, 1]))  # from before the press, perhaps: once it is not believed
    assert sent(codec, SetLevel("motor", Level(0))) == []
    codec.feed(bytes([0xB0, 1]))
    codec.feed(bytes([0xB0, 1]))  # somebody pressed its button
    assert sent(codec, SetLevel("motor", Level(0))) == ["5A"]
    assert codec.stops_only_when_running


def test_a_frame_for_all_zones_repeats_the_others() -> None:
    codec = Codec(profile_from(ALL_AT_ONCE))
    assert sent(codec, SetLevel("head", Level(5))) == ["AA", "12 05 00 00"]
    assert sent(codec, SetLevel("foot", Level(7))) == ["12 05 07 00"], "it has started already"
    assert sent(codec, SetLevel("head", Level(0))) == ["12 00 07 00"]
    sent(codec, Stop())
    assert sent(codec, SetLevel("foot", Level(1))) == ["AA", "12 00 01 00"]


def test_the_firmware_hears_all_levels_of_such_a_frame() -> None:
    heard = FirmwareCodec(profile_from(ALL_AT_ONCE)).feed(bytes.fromhex("12 05 07 00"))
    assert isinstance(heard[0], Received)
    assert heard[0].levels == {"head": Level(5), "foot": Level(7)}


@pytest.mark.parametrize(
    ("timer", "frame", "asked_s", "data"),
    [
        ("highest_s = 3600", "D7 {timer_s:u16be}", 700, "D7 02 BC"),  # 700 = 2BC
        ("highest_s = 3600\nunit_s = 60", "14 {timer_min:u8}", 601, "14 0B"),  # 601 s: eleven minutes
        ("highest_s = 36000\nunit_s = 60", "{timer_h:u8} {timer_min:u8}", 3661, "01 02"),  # 1 h 1 min 1 s: 1 h 2 min
        ("choices_s = [600, 1200, 1800]", "6E {timer_s:keys}", 601, "6E 63"),
        ("choices_s = [600, 1200, 1800]", "6E {timer_s:keys}", 1800, "6E 61"),
    ],
)
def test_a_timer_is_set_to_the_shortest_time_that_is_long_enough(
    timer: str, frame: str, asked_s: int, data: str
) -> None:
    lookups = '[lookups.keys]\n600 = "5F"\n1200 = "63"\n1800 = "61"\n'  # as one bed has them: not in order
    text = f'[timer]\n{timer}\n[commands.set_timer]\nframes = ["{frame}"]\n{lookups}'
    profile = profile_from(f"{ALL_AT_ONCE}\n{text}")
    assert sent(Codec(profile), SetTimer(asked_s)) == [data]
    heard = FirmwareCodec(profile).feed(bytes.fromhex(data))
    assert isinstance(heard[0], Received)
    assert profile.timer is not None
    assert (heard[0].command, heard[0].values["timer_s"]) == ("set_timer", profile.timer.at_least(asked_s))


def test_a_time_that_is_too_long_for_the_timer_is_refused() -> None:
    text = '[timer]\nchoices_s = [600]\n[commands.set_timer]\nframes = ["6E {timer_s:u16be}"]'
    with pytest.raises(ValueRefusedError, match="cannot run for 601 s"):
        Codec(profile_from(f"{ALL_AT_ONCE}\n{text}")).encode(SetTimer(601))


def test_an_off_says_nothing_about_where_a_device_that_steps_goes_on() -> None:
    with_off = STEPS.replace('frames = ["A0 {channel.down}", "A0 00"]\npresses = 3', 'frames = ["FF"]')
    codec = Codec(profile_from(with_off))
    codec.note_stopped()
    assert sent(codec, SetLevel("head", Level(1))) == ["A0 11", "A0 00"] * 3 + ["A0 10", "A0 00"]


def test_a_share_of_a_level_is_not_at_rest() -> None:
    codec = Codec(profile_from(ALL_AT_ONCE + '[reports.status]\nframes = ["B0 {level.head:u8*10} {level.foot:u8}"]'))
    (status,) = codec.feed(bytes.fromhex("B0 09 00"))  # 0.9
    assert isinstance(status, Status)
    assert not status.is_at_rest


def test_another_device_on_the_same_line_confirms_nothing() -> None:
    text = (
        '[parameters.address]\nsays = "it"\ndefault = "7"\n[reports.status]\nframes = ["{address:u8} {running:bool}"]'
    )
    codec = Codec(profile_from(ALL_AT_ONCE + text))
    assert codec.feed(bytes.fromhex("07 00")) == [Status(running=False)]
    (foreign,) = codec.feed(bytes.fromhex("08 00"))
    assert isinstance(foreign, BadFrame)


def test_a_key_that_cycles_is_pressed_from_where_the_device_says_that_it_is() -> None:
    text = """
[timer]
choices_s = [600, 1200, 1800]
cycles = true
[commands.step_timer]
frames = ["EE"]
[reports.status]
frames = ["B1 {running:bool} {timer_s:u16be}"]
"""
    codec = Codec(profile_from(ALL_AT_ONCE + text))
    with pytest.raises(ValueRefusedError, match="does not say where its timer is"):
        codec.encode(SetTimer(600))
    codec.feed(bytes.fromhex("B1 00 00 00"))
    assert len(codec.encode(SetTimer(1200))) == 2  # off, 10, 20
    codec.feed(bytes.fromhex("B1 01 07 08"))  # 1800 s: the third place
    assert len(codec.encode(SetTimer(600))) == 2  # 30, off, 10
    assert len(codec.encode(SetTimer(1800))) == 0
    codec.note_sent(SetTimer(600))
    assert len(codec.encode(SetTimer(600))) == 0, "told twice is told once"


def test_a_schedule_is_written_as_the_timer_wants_it() -> None:
    text = """
[lookups.mark]
true = "'R'"
false = ""
[commands.load_schedule]
frames = ["'SC?' {count:dec} ',' each interval by ',' ( {rest:mark}{seconds:dec} ) ';'"]
[commands.pause_timer]
frames = ["'_P;'"]
"""
    link = '[ble]\nservice = "FFE0"\nwrite = "FFE1"\nchunk_bytes = 4\n'
    profile = profile_from(text, link, roles='["timer"]')
    codec = Codec(profile)
    schedule = LoadSchedule((Interval(30), Interval(10, is_rest=True), Interval(30)))
    assert codec.encode(schedule) == (Write(b"SC?3,30,R10,30;", with_response=False),)
    assert codec.encode(PauseTimer()) == (Write(b"_P;", with_response=False),)
    firmware = FirmwareCodec(profile)
    pieces = [b"SC?3", b",30,", b"R10,", b"30;_", b"P;"]
    heard = [one for piece in pieces for one in firmware.feed(piece)]
    assert [one.command for one in heard if isinstance(one, Received)] == ["load_schedule", "pause_timer"]


def test_what_must_come_first_carries_the_parameters() -> None:
    text = """
[parameters.pin]
says = "the four digits on the box"
default = "3060"
pattern = "[0-9]{4}"
[[init]]
frame = "1E {pin:ubcd4} 00"
response = true
wait_s = 0.2
expect = "greeting"
[reports.greeting]
frames = ["1E {ok:bool}"]
"""
    profile = profile_from(ALL_AT_ONCE + text)
    (step,) = Codec(profile).init_steps()
    assert (step.write, step.wait_s, step.expect) == (Write(bytes.fromhex("1E 03 00 06 00 00"), True), 0.2, "greeting")
    (step,) = Codec(profile.with_parameters({"pin": "1234"})).init_steps()
    assert step.write.data == bytes.fromhex("1E 01 02 03 04 00")
    with pytest.raises(ValueError, match=r"pin must fit .*: the four digits"):
        profile.with_parameters({"pin": "12345"})
    with pytest.raises(ValueError, match=r"no parameter 'pn'.*pin"):
        profile.with_parameters({"pn": "1234"})
    assert Codec(profile).feed(bytes.fromhex("1E 01")) == [Said("greeting", {"ok": True})]
    heard = FirmwareCodec(profile).feed(bytes.fromhex("1E 01 02 03 04 00"))
    assert heard == [Received("init", values={"index": 0, "pin": "1234"})]


ADVISORY = """
[reports.status]
frames = ["ED {level.head:u8} {level.foot:u8} {not_sum8@0..}", "F0 {level.head:u8} ?? {level.foot:u8} {not_sum8@0..}"]
checksum = "advisory"
"""


def test_a_status_is_chosen_by_its_header_and_a_wrong_checksum_is_flagged() -> None:
    codec = Codec(profile_from(ALL_AT_ONCE + ADVISORY))
    both = {"head": Level(0), "foot": Level(0)}
    # ED: sum ED, complement 12. F0: sum F0, complement 0F.
    assert codec.feed(bytes.fromhex("ED 00 00 12")) == [Status(levels=both)]
    assert codec.feed(bytes.fromhex("F0 00 00 00 0F")) == [Status(levels=both)]
    (flagged,) = codec.feed(bytes.fromhex("F0 00 00 00 FF"))
    assert flagged == Status(levels=both, checksum_ok=False)
    assert isinstance(flagged, Status)
    assert not flagged.is_at_rest, "it must not confirm a stop"


def test_a_notification_that_is_split_is_put_together_where_the_profile_says_so() -> None:
    link = '[ble]\nservice = "FFE0"\nwrite = "FFE1"\nnotify = "FFE2"\nframing = "stream"\n'
    codec = Codec(profile_from(ALL_AT_ONCE + "[reports.status]\nframes = ['B0 {level.head:u8} 0A']", link))
    assert codec.feed(bytes.fromhex("B0")) == []
    assert codec.feed(bytes.fromhex("05 0A")) == [Status(levels={"head": Level(5)})]


def test_the_same_profile_is_a_stream_over_serial_and_messages_over_bluetooth() -> None:
    text = ALL_AT_ONCE + "[reports.status]\nframes = ['B0 {level.head:u8}']"
    link = '[ble]\nservice = "FFE0"\nwrite = "FFE1"\nnotify = "FFE2"\n' + OVER_SERIAL
    profile = profile_from(text, link)
    assert Codec(profile, "serial").feed(bytes.fromhex("B0")) == []
    assert Codec(profile, "ble").feed(bytes.fromhex("B0"))  # no frame, told at once
