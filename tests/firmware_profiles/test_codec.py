import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firmware_profiles.codec import Codec
from firmware_profiles.commands import (
    BadFrame,
    QueryStatus,
    QueryVersion,
    Report,
    SetLevel,
    Status,
    Stop,
    Version,
    Write,
)
from firmware_profiles.errors import FrameError, ValueRefusedError
from firmware_profiles.firmware import FirmwareCodec, Received, apply
from firmware_profiles.library import load_profiles
from firmware_profiles.schema import Profile
from firmware_profiles.units import Level

LIBRARY = load_profiles()[0]
THERAGUN = LIBRARY["theragun-gen4"]
PAD = LIBRARY["nlr-hf8"]
RELAY = LIBRARY["lcus-relay"]

RUNNING = bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")  # 10 + 01 + 06 + D6 = ED


def stream_profile() -> Profile:
    """A serial device that reports, which none of the shipped ones does: four bytes, the sum last."""
    values = RELAY.model_dump(by_alias=True, exclude_none=True, mode="json")
    values["reports"] = {"status": {"frames": ["A1 {running:bool} {level:u8} {sum8@0..}"]}}
    values["channels"] = {"motor": {}}
    values["vectors"] = []
    values["commands"]["set_level"]["frames"] = ["A0 {level:u8}"]
    return Profile.model_validate(values, strict=False)


def test_each_command_keeps_its_own_write_mode() -> None:
    codec = Codec(THERAGUN)
    assert codec.encode(QueryStatus()) == (Write(bytes.fromhex("AA 10 10 00"), with_response=True),)
    assert codec.encode(QueryVersion()) == (Write(bytes.fromhex("AA 20 20 00"), with_response=False),)


def test_stop_is_speed_zero_and_then_the_short_form() -> None:
    writes = Codec(THERAGUN).stop_writes()
    assert [write.data for write in writes] == [bytes.fromhex("AA 07 01 03 00 00 03"), bytes.fromhex("AA 04 01 03")]


def test_a_level_above_the_marketed_maximum_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match=r"2401.*0, 1 to 2400"):
        Codec(THERAGUN).encode(SetLevel("head", Level(2401)))


def test_an_unknown_channel_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueRefusedError, match=r"'knee' is no channel.*right_thigh"):
        Codec(PAD).encode(SetLevel("knee", Level(1)))


def test_a_command_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match="no command 'query_status'"):
        Codec(PAD).encode(QueryStatus())


def test_a_status_says_whether_it_runs_and_how_fast() -> None:
    assert Codec(THERAGUN).feed(RUNNING) == [Status(running=True, levels={"head": Level(1750)})]


def test_a_version_is_read() -> None:
    frame = bytes.fromhex("BB F8 20 00 00 00 00 00 00 00 00 00 00 D8")
    assert Codec(THERAGUN).decode(frame) == Version("2.1.6")


@pytest.mark.parametrize(
    ("status", "is_at_rest"),
    [
        (Status(running=False, levels={"head": Level(0)}), True),
        (Status(running=False), True),
        (Status(levels={"head": Level(0)}), True),
        (Status(running=True, levels={"head": Level(0)}), False),
        (Status(running=False, levels={"head": Level(30)}), False),
        (Status(battery_pct=50.0), False),  # it said nothing about moving
    ],
)
def test_at_rest_needs_every_sign_that_the_device_gives(status: Status, is_at_rest: bool) -> None:
    assert status.is_at_rest is is_at_rest


@given(st.binary(max_size=64))
def test_decoding_any_bytes_raises_only_the_documented_error(data: bytes) -> None:
    for profile in LIBRARY.values():
        try:
            Codec(profile).decode(data)
        except FrameError as problem:
            assert problem.data == data  # noqa: PT017 - both ways are fine, a third one is not


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_feeding_any_bytes_never_raises(chunks: list[bytes]) -> None:
    for profile in (*LIBRARY.values(), stream_profile()):
        codec = Codec(profile)
        for chunk in chunks:
            codec.feed(chunk)


@given(garbage=st.binary(max_size=20), level=st.integers(0, 255), cut=st.integers(1, 3))
def test_no_frame_is_lost_after_garbage_in_a_stream(garbage: bytes, level: int, cut: int) -> None:
    frame = bytes([0xA1, 1, level, (0xA1 + 1 + level) & 0xFF])
    codec = Codec(stream_profile())
    # A start byte at the end of the garbage may swallow the first frame's head; four more bytes settle every doubt.
    reports: list[Report] = codec.feed(garbage + frame[:cut]) + codec.feed(frame[cut:] + frame) + codec.feed(frame)
    wanted = Status(running=True, levels={"motor": Level(level)})
    assert reports.count(wanted) >= 3


def test_a_bad_frame_comes_out_in_its_place() -> None:
    good = bytes([0xA1, 0, 0, 0xA1])
    bad = bytes([0xA1, 1, 9, 0])
    reports = Codec(stream_profile()).feed(good + bad + good)
    assert [type(report) for report in reports] == [Status, BadFrame, Status]
    assert isinstance(reports[1], BadFrame)
    assert reports[1].data == bad


def test_a_frame_in_two_pieces_is_one_frame() -> None:
    codec = Codec(stream_profile())
    assert codec.feed(bytes([0xA1, 1])) == []
    assert codec.feed(bytes([5, 0xA7])) == [Status(running=True, levels={"motor": Level(5)})]


def test_reset_forgets_the_beginning_of_a_frame() -> None:
    codec = Codec(stream_profile())
    codec.feed(bytes([0xA1, 1]))
    codec.reset()
    assert codec.feed(bytes([0xA1, 0, 0, 0xA1])) == [Status(running=False, levels={"motor": Level(0)})]


def test_off_for_one_channel_is_not_stop_for_all() -> None:
    # M40 CR is right back at 0, and also one of the eight frames of stop.
    assert FirmwareCodec(PAD).feed(b"M40\r") == [
        Received("set_level", "right_back", {"right_back": Level(0)}, {"level": 0})
    ]


def test_the_firmware_takes_the_short_form_for_stop() -> None:
    assert FirmwareCodec(THERAGUN).feed(bytes.fromhex("AA 04 01 03")) == [Received("stop")]


def test_the_firmware_ignores_a_frame_with_a_wrong_sum_and_hears_the_next() -> None:
    heard = FirmwareCodec(RELAY).feed(bytes.fromhex("A0 01 01 A3 A0 01 01 A2"))
    assert heard[-1] == Received("set_level", "relay1", {"relay1": Level(1)}, {"level": 1})
    assert isinstance(heard[0], BadFrame)


@given(st.data())
def test_what_the_host_encodes_the_firmware_understands(data: st.DataObject) -> None:
    absolute = [p for p in LIBRARY.values() if p.level is not None and p.level.model == "absolute"]
    profile = data.draw(st.sampled_from(sorted(absolute, key=lambda p: p.id)))
    channel = data.draw(st.sampled_from(sorted(profile.channels)))
    levels = profile.levels
    level = Level(data.draw(st.sampled_from([0, *levels.steps]) if levels.steps else st.integers(0, levels.full)))
    assume(levels.accepts(level))
    codec, firmware = Codec(profile), FirmwareCodec(profile)
    levels_there = dict.fromkeys(profile.channels, 0)
    for write in codec.encode(SetLevel(channel, level)):
        for one in firmware.feed(write.data):
            assert isinstance(one, Received)
            apply(one, levels_there, int(levels.full))
    assert levels_there == {**dict.fromkeys(profile.channels, 0), channel: level}


def test_every_profile_that_moves_can_be_stopped() -> None:
    for profile in LIBRARY.values():
        assert Codec(profile).encode(Stop()) or profile.level is None
