"""Expected bytes are worked out by hand from the public protocol notes that each profile names, never by the code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.frames import Frame

SET_SPEED = Frame("AA {sum8@2..} 01 03 {level:u16be} 03")
RELAY = Frame("A0 {channel:u8} {level:u8} {sum8@0..}")
ZONE = Frame("'M' {channel:digit} {level:dec} 0D")
STATUS = Frame("BB {sum8@2..} 10 ?? {running:bool} ??*8 {level:u16be} ...")


def test_a_checksum_before_its_bytes_runs_to_the_end() -> None:
    # 1750 = 06 D6; 01 + 03 + 06 + D6 + 03 = E3
    assert SET_SPEED.encode({"level": 1750}) == bytes.fromhex("AA E3 01 03 06 D6 03")


def test_a_checksum_behind_its_bytes_does_not_count_itself() -> None:
    # A0 + 08 + 00 = A8
    assert RELAY.encode({"channel": 8, "level": 0}) == bytes.fromhex("A0 08 00 A8")


def test_a_checksum_keeps_only_its_low_byte() -> None:
    # FF + FF + 01 = 1FF
    assert Frame("FF FF 01 {sum8@0..}").encode({}) == bytes.fromhex("FF FF 01 FF")


def test_a_checksum_may_end_before_a_trailer() -> None:
    # F1 F1, then 10 + 01 + 08 = 19 over bytes 2 to 4, then 7E
    assert Frame("F1 F1 10 01 08 {sum8@2..5} 7E").encode({}) == bytes.fromhex("F1 F1 10 01 08 19 7E")


def test_decimal_text_is_not_padded() -> None:
    assert ZONE.encode({"channel": 4, "level": 128}) == b"M4128\r"
    assert ZONE.encode({"channel": 0, "level": 0}) == b"M00\r"


def test_little_endian_puts_the_low_byte_first() -> None:
    assert Frame("{level:u16le}").encode({"level": 0x0102}) == bytes([2, 1])


def test_an_open_end_takes_any_tail() -> None:
    bare = bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")
    # two more bytes, 01 and 02, raise the sum to F0
    longer = bytes.fromhex("BB F0 10 00 01 00 00 00 00 00 00 00 00 06 D6 01 02")
    assert STATUS.match(bare) == ({"running": True, "level": 1750}, 15)
    assert STATUS.match(longer) == ({"running": True, "level": 1750}, 17)


def test_a_wrong_checksum_is_no_match() -> None:
    assert SET_SPEED.match(bytes.fromhex("AA E4 01 03 06 D6 03")) is None


def test_a_dotted_number_is_a_version_in_both_directions() -> None:
    frame = Frame("20 {firmware:u16be:dotted}")
    assert frame.encode({"firmware": "2.1.6"}) == bytes.fromhex("20 00 D8")
    assert frame.match(bytes.fromhex("20 04 B3")) == ({"firmware": "12.0.3"}, 3)


@pytest.mark.parametrize("values", [{}, {"level": -1}, {"level": 65536}, {"level": "fast"}])
def test_a_value_that_does_not_fit_is_refused_by_name(values: dict[str, int | str]) -> None:
    with pytest.raises(ValueRefusedError, match="level"):
        SET_SPEED.encode(values)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("GG", "no token"),
        ("AA {level:u99}", "'u99' is no kind"),
        ("AA {md5@0..}", "'md5' is no checksum"),
        ("AA ... BB", "no token"),
        ("{level:u8} {level:u8}", "twice"),
        ("'é'", "ASCII"),
        ("AA {sum8@1..} 01 03", "count itself"),
    ],
)
def test_a_text_that_is_no_frame_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Frame(text)


@given(channel=st.integers(0, 9), level=st.integers(0, 255))
def test_what_is_encoded_is_read_back(channel: int, level: int) -> None:
    for frame in (RELAY, ZONE):
        data = frame.encode({"channel": channel, "level": level})
        assert frame.match(data) == ({"channel": channel, "level": level}, len(data))


@given(level=st.integers(0, 65535), cut=st.integers(1, 6))
def test_every_beginning_of_a_frame_may_grow(level: int, cut: int) -> None:
    data = SET_SPEED.encode({"level": level})
    assert SET_SPEED.may_grow(data[:cut])


def test_a_beginning_that_fits_no_frame_may_not_grow() -> None:
    assert not SET_SPEED.may_grow(bytes.fromhex("AA 00 02"))
    assert not ZONE.may_grow(b"M4128x")
