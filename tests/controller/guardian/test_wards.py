"""A ward travels as one line of JSON and arrives whole."""

import json

import pytest

from controller.guardian.wards import make_ward, ward_from_json, ward_json
from firmware_profiles.commands import Write
from firmware_profiles.library import load_profiles

PROFILES = load_profiles()[0]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_ward_arrives_as_it_was_sent(profile: str) -> None:
    ward = make_ward("mine", "somewhere://else?a=b", PROFILES[profile])
    line = json.dumps(ward_json(ward))
    assert "\n" not in line
    assert ward_from_json(json.loads(line)) == ward


def test_a_ward_carries_the_frames_that_stop_and_ask() -> None:
    gun = make_ward("gun", "ble://x", PROFILES["theragun-gen4"])
    assert gun.stop == (Write(bytes.fromhex("AA070103000003"), True), Write(bytes.fromhex("AA040103"), True))
    assert gun.ask == (Write(bytes.fromhex("AA101000"), True),)
    pad = make_ward("pad", "/dev/ttyUSB0", PROFILES["nlr-hf8"])
    assert [write.data for write in pad.stop] == [b"M%d0\r" % zone for zone in range(8)]
    assert pad.ask == (), "it cannot say what it is doing"


@pytest.mark.parametrize(
    "spoil",
    [
        {"profile": {}},
        {"stop": [["XY", True]]},
        {"stop": None},
        {"ask": [["AA"]]},
    ],
)
def test_a_ward_that_is_not_whole_is_refused(spoil: dict[str, object]) -> None:
    plain = ward_json(make_ward("gun", "ble://x", PROFILES["theragun-gen4"]))
    with pytest.raises((ValueError, TypeError, KeyError)):
        ward_from_json({**plain, **spoil})


def test_a_ward_without_a_name_or_a_way_is_refused() -> None:
    plain = ward_json(make_ward("gun", "ble://x", PROFILES["theragun-gen4"]))
    for key in plain:
        with pytest.raises(KeyError):
            ward_from_json({name: value for name, value in plain.items() if name != key})
