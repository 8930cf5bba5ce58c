"""Expected bytes are worked out by hand from the public protocol notes that each profile names, never by the code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.errors import ValueRefusedError
from firmware_profiles.frames import Found, Frame, Place

SET_SPEED = Frame("AA {sum8@2..} 01 03 {level:u16be} 03")
RELAY = Frame("A0 {relay:u8} {level:u8} {sum8@0..}")
ZONE = Frame("'M' {zone:digit} {level:dec} 0D")
REST = {"true": b"R", "false": b""}
STATUS = Frame("BB {sum8@2..} 10 ?? {running:bool} ??*8 {level:u16be} ...")


def test_a_checksum_before_its_bytes_runs_to_the_end() -> None:
    # 1750 = 06 D6; 01 + 03 + 06 + D6 + 03 = E3
    assert SET_SPEED.encode({"level": 1750}) == bytes.fromhex("AA E3 01 03 06 D6 03")


def test_a_checksum_behind_its_bytes_does_not_count_itself() -> None:
    # A0 + 08 + 00 = A8
    assert RELAY.encode({"relay": 8, "level": 0}) == bytes.fromhex("A0 08 00 A8")


def test_a_checksum_keeps_only_its_low_byte() -> None:
    # FF + FF + 01 = 1FF
    assert Frame("FF FF 01 {sum8@0..}").encode({}) == bytes.fromhex("FF FF 01 FF")


def test_a_checksum_may_end_before_a_trailer() -> None:
    # F1 F1, then 10 + 01 + 08 = 19 over bytes 2 to 4, then 7E
    assert Frame("F1 F1 10 01 08 {sum8@2..5} 7E").encode({}) == bytes.fromhex("F1 F1 10 01 08 19 7E")


def test_decimal_text_is_not_padded() -> None:
    assert ZONE.encode({"zone": 4, "level": 128}) == b"M4128\r"
    assert ZONE.encode({"zone": 0, "level": 0}) == b"M00\r"


def test_little_endian_puts_the_low_byte_first() -> None:
    assert Frame("{level:u16le}").encode({"level": 0x0102}) == bytes([2, 1])


def test_an_open_end_takes_any_tail() -> None:
    bare = bytes.fromhex("BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6")
    # two more bytes, 01 and 02, raise the sum to F0
    longer = bytes.fromhex("BB F0 10 00 01 00 00 00 00 00 00 00 00 06 D6 01 02")
    assert STATUS.match(bare) == Found({"running": True, "level": 1750}, 15, True)
    assert STATUS.match(longer) == Found({"running": True, "level": 1750}, 17, True)


def test_a_wrong_checksum_is_flagged() -> None:
    assert SET_SPEED.match(bytes.fromhex("AA E4 01 03 06 D6 03")) == Found({"level": 1750}, 7, False)


def test_a_dotted_number_is_a_version_in_both_directions() -> None:
    frame = Frame("20 {firmware:u16be:dotted}")
    assert frame.encode({"firmware": "2.1.6"}) == bytes.fromhex("20 00 D8")
    assert frame.match(bytes.fromhex("20 04 B3")) == Found({"firmware": "12.0.3"}, 3, True)


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
        ("'é'", "ASCII"),
        ("AA {sum8@1..} 01 03", "count itself"),
        ("AA [ 01", "missing"),
        ("AA ) 01", "closes nothing"),
        ("<running:1 _:3>", "4 bits"),
        ("<running:1 _:x>", "no bits"),
        ("{level:u8*0}", "no calculation"),
        ("{level:text+1}", "no number"),
        ("{a:text} 00 {b:text} 00 {c:bytes}", "more than 2"),
        ("each interval ( {seconds:dec} )", "need a text between"),
        ("'L' {a:dec} {b:dec} 0D", "no digit"),
        ("{a:dec} '5'", "no digit"),
        ("each interval by ',' ( {x:text} ) 0D", "holds no value of kind text"),
        ("{channel:u8}", "where there is none"),
        ("[ " * 10 + "AA" + " ]" * 10, "too many brackets"),
        ("??*999", "at most 512"),
    ],
)
def test_a_text_that_is_no_frame_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Frame(text)


# Every row by hand. CRCs: the check values of "123456789" in the catalogue at reveng.sourceforge.io/crc-catalogue.
@pytest.mark.parametrize(
    ("text", "values", "data"),
    [
        ("{v:u24be}", {"v": 0x010203}, "01 02 03"),
        ("{v:u24le}", {"v": 0x010203}, "03 02 01"),
        ("{v:u32be}", {"v": 0x10000015}, "10 00 00 15"),
        ("{v:u32le}", {"v": 0x800}, "00 08 00 00"),
        ("{v:i8}", {"v": -1}, "FF"),
        ("{v:i16le}", {"v": -2}, "FE FF"),
        ("{v:dec3}", {"v": 7}, "30 30 37"),
        ("{v:hex2}", {"v": 0x5A}, "35 41"),
        ("{v:fix2} 0A", {"v": 75}, "30 2E 37 35 0A"),  # 0.75
        ("{v:fix1}", {"v": 123}, "31 32 2E 33"),  # 12.3
        ("1E {pin:ubcd4} 00", {"pin": "3060"}, "1E 03 00 06 00 00"),
        ("{v:ascii3}", {"v": "ABC"}, "41 42 43"),
        ("{v:text} 3B", {"v": "hi"}, "68 69 3B"),
        ("{v:bytes} FF", {"v": "01 02"}, "01 02 FF"),
        ("{v:u8+1}", {"v": 7}, "08"),
        ("{v:u32be+0x10000010}", {"v": 5}, "10 00 00 15"),
        ("{v:u16be/100}", {"v": 700}, "00 07"),
        ("{v:u24le*100}", {"v": 1800}, "20 BF 02"),  # 180000 = 02BF20
        ("{v:u8*2+1}", {"v": 3}, "07"),
        ("{v:u8+40}", {"v": -10}, "1E"),
        ("<_:4 running:1 mode:3>", {"running": True, "mode": 2}, "0A"),
        ("<0b101 mode:5>", {"mode": 1}, "A1"),
        ("<a:4 b:12>le", {"a": 1, "b": 0x234}, "34 12"),
        ("55 53 {v:u8} {xor8@0..}", {"v": 5}, "55 53 05 03"),  # 55 ^ 53 = 06, ^ 05 = 03
        ("E5 FE 16 00 08 00 00 {not_sum8@0..}", {}, "E5 FE 16 00 08 00 00 FE"),  # sum 201, low byte 01
        ("01 02 {neg_sum8@0..}", {}, "01 02 FD"),  # 01 + 02 + FD = 100
        ("FF FF {sum16be@0..}", {}, "FF FF 01 FE"),
        ("FF FF {sum16le@0..}", {}, "FF FF FE 01"),
        ("6E 01 00 {v:u8} {sum8+0x6F@3..}", {"v": 0x24}, "6E 01 00 24 93"),
        ("'123456789' {crc16_modbus@0..}", {}, "31 32 33 34 35 36 37 38 39 37 4B"),  # 4B37, low byte first
        ("'123456789' {crc16_modbus@0..:be}", {}, "31 32 33 34 35 36 37 38 39 4B 37"),
        ("'123456789' {crc16_xmodem@0..}", {}, "31 32 33 34 35 36 37 38 39 31 C3"),
        ("'123456789' {crc16_ccitt_false@0..}", {}, "31 32 33 34 35 36 37 38 39 29 B1"),
        ("'123456789' {crc16_arc@0..}", {}, "31 32 33 34 35 36 37 38 39 3D BB"),  # BB3D
        ("'123456789' {crc8@0..}", {}, "31 32 33 34 35 36 37 38 39 F4"),
        ("'123456789' {crc32@0..}", {}, "31 32 33 34 35 36 37 38 39 CB F4 39 26"),
        ("AA {len8@2..} {v:bytes} BB", {"v": "01 02 03"}, "AA 04 01 02 03 BB"),
        ("AA {len8@2..-1} {v:bytes} BB", {"v": "01 02 03"}, "AA 03 01 02 03 BB"),
        ("AA {len8+2@2..} {v:bytes}", {"v": "01"}, "AA 03 01"),
        ("{len16be@2..} {v:bytes} {sum8@0..}", {"v": "05"}, "00 02 05 07"),  # the sum counts the length too
        ("base64( 01 02 {v:u8} ) 0A", {"v": 3}, "41 51 49 44 0A"),  # AQID
        ("hex( AA {v:u8} )", {"v": 0x5B}, "41 41 35 42"),
    ],
)
def test_each_kind_of_token_in_both_directions(text: str, values: dict[str, int | str | bool], data: str) -> None:
    raw = bytes.fromhex(data)
    frame = Frame(text)
    assert frame.encode(values) == raw
    assert frame.match(raw, is_whole=True) == Found(values, len(raw), True)
    assert all(frame.may_grow(raw[:cut]) for cut in range(1, len(raw)))


def test_a_value_that_stands_in_a_frame_twice_is_one_value() -> None:
    frame = Frame("E0 {level:u8+1} {level:u8+1} A5")
    assert frame.encode({"level": 7}) == bytes.fromhex("E0 08 08 A5")
    assert frame.match(bytes.fromhex("E0 08 08 A5")) == Found({"level": 7}, 4, True)
    assert frame.match(bytes.fromhex("E0 08 09 A5")) is None


def test_a_lookup_says_words_numbers_and_nothing() -> None:
    table = {"0": b"\x00", "10": b"LV10", "true": b"\x01", "none": b"\xff"}
    frame = Frame("{v:strength}", {"strength": table})
    for value, raw in ((0, b"\x00"), (10, b"LV10"), (True, b"\x01")):
        assert frame.encode({"v": value}) == raw
        assert frame.match(raw) == Found({"v": value}, len(raw), True)
    assert frame.match(b"\xff") == Found({}, 1, True)
    with pytest.raises(ValueRefusedError, match="is none of 0, 10, true, none"):
        frame.encode({"v": 5})


def test_a_frame_for_all_channels_and_one_for_each() -> None:
    places = [Place("head", 1, {"up": b"\x10"}), Place("foot", 2, {"up": b"\x12"})]
    every = Frame("12 each channel by ',' ( {channel:u8} {level:u8} ) 00", channels=places)
    assert every.encode({"level.head": 5, "level.foot": 7}) == bytes.fromhex("12 01 05 2C 02 07 00")
    one = Frame("FF {channel.up}", channel=places[1], channels=places)
    assert one.encode({}) == bytes.fromhex("FF 12")


def test_a_schedule_is_one_group_for_each_interval() -> None:
    frame = Frame("'SC?' {count:dec} ',' each interval by ',' ( {rest:rest}{seconds:dec} ) ';'", {"rest": REST})
    rows = [{"rest": False, "seconds": 60}, {"rest": True, "seconds": 15}]
    assert frame.encode({"count": 2, "intervals": rows}) == b"SC?2,60,R15;"
    assert frame.match(b"SC?2,60,R15;") == Found({"count": 2, "intervals": rows}, 12, True)


def test_what_is_optional_may_be_missing() -> None:
    frame = Frame("BB {v:u8} [ {force_n:u16be} ]")
    assert frame.match(bytes.fromhex("BB 05"), is_whole=True) == Found({"v": 5}, 2, True)
    assert frame.match(bytes.fromhex("BB 05 00 09"), is_whole=True) == Found({"v": 5, "force_n": 9}, 4, True)
    assert frame.match(bytes.fromhex("BB 05 00"), is_whole=True) is None
    assert frame.encode({"v": 5}) == bytes.fromhex("BB 05")


def test_a_length_that_lies_is_no_frame() -> None:
    frame = Frame("AA {len8@2..} {v:bytes} {sum8@0..}")
    assert frame.match(bytes.fromhex("AA 02 07 B3")) == Found({"v": "07"}, 4, True)  # AA + 02 + 07 = B3
    assert frame.match(bytes.fromhex("AA 09 07 B3")) is None
    assert frame.may_grow(bytes.fromhex("AA 09 07 B3"))
    assert frame.match(bytes.fromhex("AA 00 AA"), is_whole=True) is None


def test_a_length_in_a_row_of_bytes_says_where_the_next_frame_begins() -> None:
    frame = Frame("AA {len8@2..} {v:bytes}")
    assert frame.match(bytes.fromhex("AA 02 AA 02 AA 01 07")) == Found({"v": "AA 02"}, 4, True)


@pytest.mark.parametrize(
    "text",
    [
        "{a:text} ',' {b:text} 0A",
        "each interval by ',' ( {r:rest}{seconds:dec} ) ';'",
        "{a:bytes} {b:bytes} 00 {crc16_modbus@0..}",
        "base64( {a:bytes} {sum8@0..} )",
        "[ {a:u8} [ {b:dec} ] ] {c:dec} 'x'",
    ],
)
@given(data=st.binary(max_size=600) | st.text("0123456789,R ", max_size=600).map(str.encode))
def test_any_bytes_end_in_a_frame_or_none(text: str, data: bytes) -> None:
    frame = Frame(text, {"rest": REST})
    found = frame.match(data)
    assert found is None or found.end <= len(data)
    frame.may_grow(data)
    assert not frame.may_grow(data + bytes(512)), "nothing longer than a frame is waited for"


@given(number=st.integers(0, 9), level=st.integers(0, 255))
def test_what_is_encoded_is_read_back(number: int, level: int) -> None:
    for frame, name in ((RELAY, "relay"), (ZONE, "zone")):
        data = frame.encode({name: number, "level": level})
        assert frame.match(data) == Found({name: number, "level": level}, len(data), True)


@given(level=st.integers(0, 65535), cut=st.integers(1, 6))
def test_every_beginning_of_a_frame_may_grow(level: int, cut: int) -> None:
    data = SET_SPEED.encode({"level": level})
    assert SET_SPEED.may_grow(data[:cut])


def test_a_beginning_that_fits_no_frame_may_not_grow() -> None:
    assert not SET_SPEED.may_grow(bytes.fromhex("AA 00 02"))
    assert not ZONE.may_grow(b"M4128x")
