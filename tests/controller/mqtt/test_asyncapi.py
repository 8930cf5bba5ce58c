"""The AsyncAPI document says what the program does: the same topics, and the same messages are right and wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from controller.mqtt.commands import NEEDS_NO_ID, UnreadableError, is_stop, read_command
from controller.mqtt.state import EVENT_TYPES
from controller.mqtt.topics import Topics
from controller.station import Station
from tests.controller.mqtt.test_commands import said
from tests.helpers.bridge import run
from tests.helpers.broker import Client
from tests.helpers.processes import RunningSimulator

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "docs/reference/asyncapi.yaml").read_text(encoding="utf-8")
)
TOPICS = Topics("percuss", "{installation}", "homeassistant")


def is_right(name: str, payload: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(payload))


def test_it_is_of_version_3_and_every_reference_leads_somewhere() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    references = [value for key, value in _walk(DOCUMENT) if key == "$ref"]
    assert references
    for reference in references:
        found: Any = DOCUMENT
        for part in str(reference).removeprefix("#/").split("/"):
            found = found[part]
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in {"send", "receive"}


def _walk(value: Any) -> Any:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield key, inner
        if isinstance(inner, (dict, list)):
            yield from _walk(inner)


def test_the_topics_are_those_of_the_program() -> None:
    addresses = {name: channel["address"] for name, channel in DOCUMENT["channels"].items()}
    assert addresses == {
        "availability": TOPICS.availability,
        "state": TOPICS.state,
        "event": TOPICS.event,
        "command": TOPICS.command,
        "reply": TOPICS.reply,
        "discovery": TOPICS.config,
        "homeStatus": TOPICS.home_status,
    }


def test_every_example_is_right_and_is_read() -> None:
    examples = [each["payload"] for each in DOCUMENT["components"]["messages"]["command"]["examples"]]
    for example in examples:
        assert is_right("command", example), example
        read_command(json.dumps(example).encode())
    assert {"start", "hold", "choose", "intensity", "resume", "pain", "pause", "stop"} <= {e["do"] for e in examples}


@pytest.mark.parametrize(
    "payload",
    [
        said(do="dance"),
        said(do="start", speed=0),
        said(do="start", surprise=1),
        said(do="hold", percent=101),
        said(do="hold", region="../x"),
        said(do="intensity"),
        said(do="pain", score=11),
        said(do="start", routine="mine.toml"),
        said(do="resume", id=7),
        b"[]",
        b"{}",
    ],
)
def test_what_the_document_forbids_the_program_does_not_read(payload: bytes) -> None:
    assert not is_right("command", json.loads(payload))
    with pytest.raises(UnreadableError):
        read_command(payload)


def test_both_ask_for_an_id_and_an_expiry_in_the_same_commands() -> None:
    commands = [do for each in DOCUMENT["components"]["schemas"]["command"]["oneOf"] for do in _words(each)]
    values = {"intensity": {"percent": 3}, "pain": {"score": 3}}
    assert {do for do in commands if is_right("command", {"do": do, **values.get(do, {})})} == NEEDS_NO_ID


def test_both_let_pain_that_stops_in_without_them() -> None:
    for score in range(11):
        payload = {"do": "pain", "score": score}
        assert is_right("command", payload) == is_stop(read_command(json.dumps(payload).encode()))


def _words(command: dict[str, Any]) -> list[str]:
    do = command["properties"]["do"]
    return list(do["enum"]) if "enum" in do else [do["const"]]


def test_the_events_are_those_of_the_program() -> None:
    assert DOCUMENT["components"]["schemas"]["event"]["properties"]["event_type"]["enum"] == list(EVENT_TYPES.values())


async def test_what_is_said_in_a_session_is_as_the_document_says(
    gun: RunningSimulator, phone: Client, station: Station
) -> None:
    await run(phone)
    await phone.ask("pause")
    await phone.ask("stop")
    await phone.event("session_ended")
    seen = dict.fromkeys(("state", "event", "reply"), 0)
    for each in phone.heard:
        if (name := each.topic.rsplit("/", 1)[-1]) in seen:
            assert is_right(name, each.json), each
            seen[name] += 1
    assert all(seen.values())
