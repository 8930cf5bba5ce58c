from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles.captures import Direction, Opened, Passed
from firmware_profiles.decoding import Decoder, explain, passed_json
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile

THERAGUN = load_profile(BUNDLED / "theragun-gen4.toml")
PAD = load_profile(BUNDLED / "nlr-hf8.toml")

# The worked examples of the public protocol notes (the profile's sources): 1750 rpm, and a status that says so.
SET_1750 = "AA E3 01 03 06 D6 03"
STATUS_1750 = "BB ED 10 00 01 00 00 00 00 00 00 00 00 06 D6"


def gone(direction: Direction, data: str, **more: object) -> Passed:
    return Passed(direction, bytes.fromhex(data), **more)  # type: ignore[arg-type]


def test_commands_and_reports_are_told_in_words() -> None:
    decoder = Decoder(THERAGUN)
    assert passed_json(decoder.take(gone("tx", SET_1750, t_s=1.5, handle=18)))["said"] == [
        {"command": "set_level", "channel": "head", "levels": {"head": 1750}}
    ]
    assert passed_json(decoder.take(gone("rx", STATUS_1750)))["said"] == [
        {"report": "status", "running": True, "level": 1750}
    ]
    assert decoder.share == 1


def test_what_fits_no_frame_is_said_and_counts_against_the_profile() -> None:
    decoder = Decoder(THERAGUN)
    (said,) = passed_json(decoder.take(gone("rx", "01 02 03")))["said"]
    assert said["unknown"] == "01 02 03"
    decoder.take(gone("rx", STATUS_1750))
    assert (decoder.understood, decoder.total, decoder.share) == (1, 2, 0.5)


def test_the_two_ways_are_not_taken_for_each_other() -> None:
    decoder = Decoder(THERAGUN)
    decoder.take(gone("rx", SET_1750))
    decoder.take(gone("tx", STATUS_1750))
    assert decoder.understood == 0


def test_the_pieces_of_a_frame_count_when_it_is_whole() -> None:
    # The seat pad's stop is M00 and a carriage return.
    decoder = Decoder(PAD)
    for piece in ("4D", "30", "30"):
        assert decoder.take(gone("tx", piece)).said == ()
    assert decoder.understood == 0
    decoder.take(gone("tx", "0D"))
    assert (decoder.understood, decoder.total) == (4, 4)


def test_a_beginning_that_comes_to_nothing_is_not_understood() -> None:
    decoder = Decoder(PAD)
    for piece in ("4D", "30", "FF"):
        decoder.take(gone("tx", piece))
    assert (decoder.understood, decoder.total) == (0, 3)


def test_links_do_not_mix() -> None:
    decoder = Decoder(PAD)
    decoder.take(gone("tx", "4D 30", link="1"))
    decoder.take(gone("tx", "4D 30", link="2"))
    decoder.take(gone("tx", "30 0D", link="1"))
    decoder.take(gone("tx", "30 0D", link="2"))
    assert (decoder.understood, decoder.total) == (4, 4)


def test_a_link_that_is_opened_anew_forgets_what_was_unfinished() -> None:
    decoder = Decoder(PAD)
    decoder.take(gone("tx", "4D 30", link="1"))
    decoder.open(Opened("1", "nlr-hf8", "serial"))
    assert passed_json(decoder.take(gone("tx", "30 0D", link="1")))["said"][0]["unknown"] == "30 0D"


def test_bytes_that_were_left_out_count_neither_way() -> None:
    decoder = Decoder(THERAGUN)
    meaning = decoder.take(Passed("tx", b"", left_out=12))
    assert passed_json(meaning) == {"dir": "tx", "left_out_bytes": 12, "said": []}
    assert decoder.total == 0


def test_of_several_profiles_the_right_one_explains_the_most() -> None:
    decoders = [Decoder(PAD), Decoder(THERAGUN)]
    explain([Opened("1", None, "ble"), gone("tx", SET_1750, link="1"), gone("rx", STATUS_1750, link="1")], decoders)
    assert [decoder.share for decoder in decoders] == [0, 1]


@pytest.mark.parametrize("profile", [THERAGUN, PAD], ids=lambda profile: profile.id)
@given(st.lists(st.tuples(st.sampled_from(["tx", "rx"]), st.binary(max_size=40)), max_size=20))
def test_no_bytes_break_a_decoder(profile: object, frames: list[tuple[Direction, bytes]]) -> None:
    decoder = Decoder(profile)  # type: ignore[arg-type]
    for direction, data in frames:
        decoder.take(Passed(direction, data))
    assert 0 <= decoder.understood <= decoder.total == len(frames)
