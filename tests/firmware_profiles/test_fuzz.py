"""Files and bytes that nobody meant: every one ends in a profile, or in the documented error with its file and line."""

import random
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_profiles.codec import Codec
from firmware_profiles.commands import SetLevel, Stop
from firmware_profiles.errors import ProfileError, ValueRefusedError
from firmware_profiles.firmware import FirmwareCodec
from firmware_profiles.frames import Frame
from firmware_profiles.library import BUNDLED
from firmware_profiles.loader import load_profile
from firmware_profiles.schema import Profile
from firmware_profiles.units import Level

GOOD = [path.read_text(encoding="utf-8") for path in sorted(BUNDLED.glob("*.toml"))]
PIECES = [
    "00", "FF", "'A'", "??", "??*300", "...", "{level:u8}", "{level:dec}", "{level:u16be*2+1}", "{channel:u8}",
    "{channel.up}", "{level.head:u8}", "{x:text}", "{x:bytes}", "{len8@1..}", "{sum8@0..}", "{crc16_modbus@0..-2}",
    "<running:1 _:7>", "[", "]", "(", ")", "each channel (", "each interval by ','", "base64(", "hex(", "0b1", "{", "}",
]  # fmt: skip
frames = st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)


def mangled(text: str, rng: random.Random, frame: str) -> str:
    """A profile with one thing changed that a tired person could change."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case 2:
            lines[at] = re.sub(r"\d+", lambda _: str(rng.choice([-1, 0, 1, 7, 255, 256, 65536, 10**12])), lines[at])
        case 3:
            lines[at] = re.sub(r'"[^"]*"', lambda _: f'"{frame}"', lines[at])
        case 4:
            lines[at] = re.sub(r"=.*", lambda _: rng.choice(['= "x"', "= []", "= {}", "= true", "= nan"]), lines[at])
        case 5:
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + rng.choice("{}[]\"'=.#@*\\\n\x00é") + lines[at][place:]
    return "\n".join(lines)


def use(profile: Profile, data: bytes) -> None:
    """Do what a session and a simulator would do with it."""
    codec = Codec(profile)
    codec.feed(data)
    codec.feed(data[::-1])
    for channel in profile.channels:
        for level in (0, profile.levels.lowest, profile.levels.full):
            try:
                writes = codec.encode(SetLevel(channel, Level(level)))
            except ValueRefusedError:
                continue  # it fits no byte: told, and nothing is sent
            for write in writes:
                FirmwareCodec(profile).feed(write.data)
    assert codec.encode(Stop()) or profile.level is None
    FirmwareCodec(profile).feed(data)


@given(
    text=st.sampled_from(GOOD), seed=st.integers(0, 2**32), changes=st.integers(1, 4), frame=frames, data=st.binary()
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_profile_file_is_a_profile_or_a_profile_error(
    tmp_path: Path, text: str, seed: int, changes: int, frame: str, data: bytes
) -> None:
    rng = random.Random(seed)
    for _ in range(changes):
        text = mangled(text, rng, frame)
    path = tmp_path / "mangled.toml"
    path.write_text(text, encoding="utf-8")
    try:
        profile = load_profile(path)
    except ProfileError as problem:
        assert (problem.path, str(path) in str(problem)) == (path, True)  # noqa: PT017 - both ways are fine
        return
    use(profile, data)


@given(text=frames, data=st.binary(max_size=600))
def test_any_frame_is_a_frame_or_a_value_error(text: str, data: bytes) -> None:
    try:
        frame = Frame(text)
    except ValueError as problem:
        assert str(problem).startswith("frame ")  # noqa: PT017 - both ways are fine
        return
    found = frame.match(data)
    assert found is None or found.end <= len(data)
    frame.may_grow(data)


@given(st.sampled_from(GOOD), st.lists(st.binary(max_size=600), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_into_any_decoder_come_out_as_reports(tmp_path: Path, text: str, chunks: list[bytes]) -> None:
    path = tmp_path / "good.toml"
    path.write_text(text, encoding="utf-8")
    profile = load_profile(path)
    codec, firmware = Codec(profile), FirmwareCodec(profile)
    for chunk in chunks:
        assert len(codec.feed(chunk)) <= len(chunk) + 1
        assert len(firmware.feed(chunk)) <= len(chunk) + 513, "what was kept from before is at most one frame"
