"""What is a command and what is not: whatever arrives, a motor is started by nothing that is not said in full."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.mqtt.commands import (
    PAYLOAD_MAX_BYTES,
    Ask,
    Halt,
    Hold,
    Pain,
    Start,
    UnreadableError,
    is_stop,
    read_command,
)

STAMP = {"id": "a1", "expires_at": "2026-11-21T15:00:10+00:00"}


def said(**values: Any) -> bytes:
    return json.dumps({**STAMP, **values}).encode()


def test_a_start_is_read_with_all_it_says() -> None:
    command = read_command(said(do="start", routine="short-break", massager="gun", pain_before=2))
    assert isinstance(command, Start)
    assert (command.routine, command.massager, command.pain_before, command.id) == ("short-break", "gun", 2, "a1")
    assert command.expires_at is not None
    assert command.expires_at.isoformat() == "2026-11-21T15:00:10+00:00"


def test_a_hold_says_percent_region_and_seconds() -> None:
    command = read_command(said(do="hold", percent=30, region="calves", duration_s=20))
    assert isinstance(command, Hold)
    assert (command.percent, command.region, command.duration_s) == (30, "calves", 20)


@pytest.mark.parametrize("do", ["pause", "resume", "skip", "back", "extra", "stronger", "softer"])
def test_requests_have_their_own_names(do: str) -> None:
    assert read_command(said(do=do)) == Ask.model_validate_json(said(do=do))


@pytest.mark.parametrize(
    "payload",
    [
        b"stop",
        b" STOP\n",
        b'{"do": "stop"}',
        b'{"do": "stop", "what": "is this", "id": 17, "expires_at": "never"}',
        b'{"do": "stop", "expires_at": "2001-01-01T00:00:00+00:00"}',
        b'{"do": "stop", "reply_to": ["a list"]}',
        b'{"do": "stop", "percent": NaN}',
        b'{"do":"STOP"}',
        b'{"do": " stop "}',
        b'\xef\xbb\xbf{"do": "stop"}',
        '{"do": "stop"}'.encode("utf-16"),
        b'"stop"',
        b"'stop'",
        b"stop!",
        b'["stop"]',
        b'{"Do": "stop"}',
        b'{"do": "stop", "id": ',
        b'{"do": "stop"',
        b'{"do":\xff"stop"}',
        b'{"do": "\\u0073top", "what": 1}',
        b'{"do": "stop"} {"do": "start"}',
        b'{"do": "stop", "do": "start", "routine": "short-break"}',
        b'{"do": "start", "routine": "short-break", "id": "stop',
        b'{"do": "stop", "pad": "' + b"x" * PAYLOAD_MAX_BYTES + b'"}',
    ],
)
def test_a_stop_is_a_stop_whatever_else_is_wrong_with_it(payload: bytes) -> None:
    command = read_command(payload)
    assert isinstance(command, Halt)
    assert command.do == "stop"


def test_a_stop_keeps_its_id_for_the_answer() -> None:
    assert read_command(b'{"do": "emergency_stop", "id": "x7"}') == Halt(do="emergency_stop", id="x7")


@pytest.mark.parametrize("do", ["emergency_stop", "nerve_sign"])
@pytest.mark.parametrize("form", ["{}", '"{}"', '{{"do": "{}", "id": ', '{{"do": " {} ", "stop": 1}}'])
def test_the_other_stops_are_read_as_leniently_and_the_strongest_counts(do: str, form: str) -> None:
    for said_so in (do, do.upper(), do.replace("_", "-"), do.replace("_", " ")):
        command = read_command(form.format(said_so).encode())
        assert isinstance(command, Halt)
        assert command.do == do


@pytest.mark.parametrize(
    "payload",
    [
        b'{"do": "pain", "score": 7}',
        b'{"do": "pain", "score": 10, "surprise": 1, "id": "a1"}',
        b'{"do": "pain", "score": 8, "expires_at": "never", "id": "a1"}',
        b'{"do": "pain", "score": "9", "id": "a1"}',
        b'{"do": "pain", "score": 8.0, "id": ["a1"]}',
        b'{"do": "pain", "score": 2, "score": 9}',
    ],
)
def test_pain_of_7_and_more_is_a_stop_whatever_else_is_wrong_with_it(payload: bytes) -> None:
    command = read_command(payload)
    assert is_stop(command)
    assert isinstance(command, Pain)
    assert command.score == round(float(json.loads(payload)["score"]))
    assert command.id == ("a1" if b'"id": "a1"' in payload else None)


@pytest.mark.parametrize("payload", [b'{"do": "pain", "score": "6"}', b'{"do": "pain", "score": 11}', b'{"score": 9}'])
def test_what_is_no_pain_that_stops_is_no_command(payload: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_command(payload)


def test_less_pain_is_no_stop() -> None:
    assert not is_stop(read_command(said(do="pain", score=6)))


def test_a_word_that_stops_is_a_word_like_others_in_what_is_a_command_to_the_letter() -> None:
    command = read_command(said(do="start", routine="one-stop-tour"))
    assert isinstance(command, Start)
    assert command.routine == "one-stop-tour"


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "JSON"),
        (b"start", "JSON"),
        (b"ON", "JSON"),
        (b"\xff\xfe\x00", "JSON"),
        (b"[" * 5000, "JSON"),
        (b'{"do":' * 2000, "JSON"),
        (b'"start"', "should be an object"),
        (b"17", "should be an object"),
        (b"null", "should be an object"),
        (b'{"do": "dance"}', "is no known command"),
        (b'{"do": ["start"]}', "is no known command"),
        (b'{"do": "START"}', "is no known command"),
        (b'{"do": " start "}', "is no known command"),
        (b"\xef\xbb\xbf" + said(do="start"), "JSON"),
        (said(do="start") + b"}", "JSON"),
        (said(do="start")[:-1], "JSON"),
        (said(do="pause")[:-1] + b', "do": "start"}', "twice"),
        (said(do="start", routine="../../etc/passwd"), "routine"),
        (said(do="start", routine="mine.toml"), "routine"),
        (said(do="start", speed=1e999), "speed"),
        (b'{"do": "hold", "percent": NaN}', "percent"),
        (b'{"do": "hold", "percent": 1e400}', "percent"),
        (said(do="hold", percent="30"), "percent"),
        (said(do="hold", percent=True), "percent"),
        (said(do="hold", percent=-1), "percent"),
        (said(do="hold", percent=101), "percent"),
        (said(do="hold", duration_s=1e9), "duration_s"),
        (said(do="pause", surprise=1), "surprise"),
        (said(do="start", id="a\x1b[2J"), "id"),
        (said(do="start", expires_at="2026-11-21T15:00:10"), "expires_at"),
        (said(do="start", expires_at=1763737210), "expires_at"),
        (b'{"do": "start", "script": "' + b"x" * PAYLOAD_MAX_BYTES + b'"}', "bytes"),
    ],
)
def test_what_is_no_command_says_why(payload: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_command(payload)


def test_what_is_wrong_is_told_without_quoting_it() -> None:
    with pytest.raises(UnreadableError) as caught:
        read_command(said(do="start", routine="\x1b]0;mine\x07", **{"\x1b[31m": 1}))
    assert str(caught.value).isprintable()
    assert "mine" not in str(caught.value)


def test_what_is_no_command_is_known_by_its_id_where_it_has_one() -> None:
    for payload, known in ((said(do="dance"), "a1"), (said(do="dance", id="a\x1b"), None), (b"{", None), (b"7", None)):
        with pytest.raises(UnreadableError) as caught:
            read_command(payload)
        assert caught.value.id == known


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["do", "id", "expires_at", "reply_to", "percent", "routine", "script", "region", "speed"])
words = st.sampled_from(["start", "hold", "choose", "intensity", "pause", "resume", "pain", "skip"])
nearly = st.dictionaries(keys, anything | words, max_size=9)


@settings(max_examples=1000)
@given(st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), anything | nearly))
def test_a_thousand_hostile_payloads_are_refused_or_lack_what_a_start_needs(payload: bytes) -> None:
    try:
        command = read_command(payload)
    except UnreadableError as problem:
        said_why = str(problem)
    else:
        said_why = ""
        # Nothing of chance is a date with an offset: what is read is a stop, or is refused for want of an expiry.
        assert isinstance(command, Halt) or command.expires_at is None
    assert said_why.isprintable()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A start that is good, but for some bytes that were lost, changed or added."""
    payload = bytearray(draw(st.sampled_from([said(do="start", routine="short-break"), said(do="hold", percent=30)])))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 6))] = draw(
            st.binary(max_size=4)
            | st.sampled_from([b'"do": "start",', b'"id": "a2",', b" ", b"\0", b"\xef\xbb\xbf", b"NaN"])
        )
    return bytes(payload)


@settings(max_examples=2000)
@given(damaged())
def test_what_is_read_as_a_start_is_one_to_the_letter(payload: bytes) -> None:
    try:
        command = read_command(payload)
    except UnreadableError:
        return
    if isinstance(command, Halt):
        return
    pairs = json.loads(payload.decode("utf-8"), object_pairs_hook=list, parse_constant=_forbidden)
    values = dict(pairs)
    assert len(values) == len(pairs)
    assert values.keys() <= type(command).model_fields.keys()
    assert values["do"] == command.do
    for key, value in values.items():
        read = getattr(command, key)
        assert read == (datetime.fromisoformat(value) if key == "expires_at" and value is not None else value)


def _forbidden(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@settings(max_examples=500)
@given(st.binary(max_size=60), st.sampled_from(["stop", "STOP", "Stop", "nerve_sign", "emergency_stop"]), st.data())
def test_what_says_stop_stops_whatever_is_around_it(around: bytes, word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(around)))
    assert isinstance(read_command(around[:at] + word.encode() + around[at:]), Halt)
