from __future__ import annotations

from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.redaction import Redaction
from firmware_profiles.schema import Profile

ADDRESS = "F0:F1:C2:00:00:01"


def with_pin(pin: str, *, frame: str = "'PIN' {pin:ascii4} {sum8@0..}", is_secret: bool = True) -> Profile:
    """The seat pad, with a PIN that it wants first."""
    plain = load_profile(BUNDLED / "nlr-hf8.toml").model_dump(by_alias=True, mode="json")
    plain["parameters"] = {"pin": {"says": "its PIN", "default": pin, "pattern": "[0-9]{4}", "secret": is_secret}}
    plain["init"] = [{"frame": frame}]
    return Profile.model_validate(plain, strict=False)


def test_a_frame_with_a_secret_is_hidden_whole() -> None:
    # Its checksum would tell the sum of the digits: it goes too.
    redaction = Redaction(with_pin("4711"))
    frame = b"PIN4711"
    assert redaction.hides(frame + bytes([sum(frame) & 0xFF]))


def test_a_secret_that_the_device_repeats_is_hidden() -> None:
    assert Redaction(with_pin("4711")).hides(b"OK 4711\r")


def test_a_secret_is_known_in_the_form_that_its_frame_has() -> None:
    # Four bytes, each one digit.
    redaction = Redaction(with_pin("4711", frame="AA {pin:ubcd4}"))
    assert redaction.hides(bytes.fromhex("AA 04 07 01 01"))
    assert redaction.hides(bytes.fromhex("BB 55 04 07 01 01 03"))
    assert not redaction.hides(bytes.fromhex("BB 55 04 07 01 02 03"))


def test_zeros_are_hidden_only_where_they_are_the_secret() -> None:
    redaction = Redaction(with_pin("0000", frame="AA {pin:ubcd4}"))
    assert redaction.hides(bytes.fromhex("AA 00 00 00 00"))
    assert not redaction.hides(bytes.fromhex("BB 00 00 00 00 01"))


def test_a_parameter_that_is_no_secret_is_shown() -> None:
    assert not Redaction(with_pin("4711", is_secret=False)).hides(b"PIN4711")


def test_a_profile_without_secrets_hides_nothing() -> None:
    assert not Redaction(load_profile(BUNDLED / "nlr-hf8.toml")).hides(b"M4128\r")


def test_an_address_is_hidden_in_every_form() -> None:
    redaction = Redaction(load_profile(BUNDLED / "nlr-hf8.toml"))
    redaction.learn(f"ble://{ADDRESS}?adapter=hci0")
    for form in (b"F0:F1:C2:00:00:01", b"f0f1c2000001", bytes.fromhex("F0F1C2000001"), bytes.fromhex("010000C2F1F0")):
        assert redaction.hides(b"\xaa" + form + b"\x03")
    assert not redaction.hides(bytes.fromhex("AA F0F1C2000002"))


def test_a_serial_number_is_hidden_once_it_is_known() -> None:
    redaction = Redaction(load_profile(BUNDLED / "nlr-hf8.toml"))
    assert not redaction.hides(b"SN SIM-0001")
    redaction.learn(None, "SIM-0001")
    assert redaction.hides(b"SN sim-0001")


def test_a_port_is_no_word_to_look_for() -> None:
    redaction = Redaction(load_profile(BUNDLED / "nlr-hf8.toml"))
    redaction.learn("/dev/ttyUSB0", "socket://127.0.0.1:4000", "1")
    assert not redaction.hides(b"1")
    assert not redaction.hides(b"M1000\r")
