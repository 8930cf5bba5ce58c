"""The discovery payload against what Home Assistant's documentation asks of it.

The expectations are those of https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, of the pages of the
platforms (fan.mqtt, number.mqtt, select.mqtt, button.mqtt, sensor.mqtt, binary_sensor.mqtt, event.mqtt), and of the
checks in homeassistant/components/mqtt: `schemas.py`, `discovery.py`, `fan.py`, `number.py`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jinja2.sandbox
import pytest

from controller.mqtt.admission import Admission
from controller.mqtt.choices import Choices, Options
from controller.mqtt.commands import Ask, Choose, Command, Halt, Hold, Intensity, Start, read_command
from controller.mqtt.discovery import discovery_payload, with_removed
from controller.mqtt.limits import HoldLimits
from controller.mqtt.state import EVENT_TYPES
from controller.mqtt.topics import Topics

TOPICS = Topics("percuss", "0123456789ab", "homeassistant")

DISCOVERY_TOPIC = re.compile(r"(?P<component>\w+)/(?:(?P<node>[a-zA-Z0-9_-]+)/)?(?P<object>[a-zA-Z0-9_-]+)/config")
"""The pattern of discovery.py, behind the prefix."""

REQUIRED = {
    "fan": {"command_topic"},
    "number": {"command_topic"},
    "select": {"command_topic", "options"},
    "button": {"command_topic"},
    "sensor": {"state_topic"},
    "binary_sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
}
COMMON = {"p", "name", "unique_id", "icon", "entity_category", "qos"}
STATEFUL = {"state_topic", "value_template"}
KNOWN = {
    "fan": {
        "command_topic",
        "command_template",
        "retain",
        "state_topic",
        "state_value_template",
        "percentage_command_topic",
        "percentage_command_template",
        "percentage_state_topic",
        "percentage_value_template",
        "speed_range_min",
        "speed_range_max",
    },
    "number": STATEFUL
    | {"command_topic", "command_template", "retain", "min", "max", "step", "mode", "unit_of_measurement"},
    "select": STATEFUL | {"command_topic", "command_template", "retain", "options"},
    "button": {"command_topic", "command_template", "retain"},
    "sensor": STATEFUL | {"device_class", "unit_of_measurement", "state_class"},
    "binary_sensor": STATEFUL | {"device_class", "json_attributes_topic", "json_attributes_template"},
    "event": {"state_topic", "event_types"},
}
DEVICE = {"cns", "cu", "ids", "name", "mf", "mdl", "mdl_id", "hw", "sw", "sa", "sn"}
ORIGIN = {"name", "sw", "url"}
SHARED = {
    "dev",
    "o",
    "cmps",
    "availability_topic",
    "payload_available",
    "payload_not_available",
}


def choices(least: int = 1, most: int = 75, massagers: tuple[str, ...] = ("gun",)) -> Choices:
    made = Choices()
    made.options = Options(("short-break", "sciatica-relief"), ("calves", "piriformis"), massagers)
    made.limits = HoldLimits(least, most, least, 60.0, "a reason")
    return made


def payload(**more: Any) -> dict[str, Any]:
    # As it arrives: through JSON.
    made: dict[str, Any] = json.loads(json.dumps(discovery_payload(TOPICS, choices(**more), "1.2.3")))
    return made


def test_the_topic_is_one_of_a_device() -> None:
    prefix, _, rest = TOPICS.config.partition("/")
    found = DISCOVERY_TOPIC.fullmatch(rest)
    assert prefix == "homeassistant"
    assert found is not None
    assert (found["component"], found["node"], found["object"]) == ("device", None, "percuss_0123456789ab")


def test_the_payload_has_a_device_an_origin_and_components_and_only_known_keys() -> None:
    made = payload()
    assert set(made) == SHARED
    assert set(made["dev"]) <= DEVICE
    assert made["dev"]["ids"] == ["percuss_0123456789ab"], "at least one identifying value"
    assert set(made["o"]) <= ORIGIN
    assert made["o"]["name"] == "percuss"
    assert (made["payload_available"], made["payload_not_available"]) == ("online", "offline")
    assert made["availability_topic"] == "percuss/0123456789ab/availability"


def test_every_component_has_what_its_platform_requires_and_nothing_that_it_does_not_know() -> None:
    for key, component in payload()["cmps"].items():
        platform = component["p"]
        assert set(component) >= REQUIRED[platform] | {"unique_id"}, key
        assert set(component) <= KNOWN[platform] | COMMON, key
        for name, value in component.items():
            if name.endswith("_topic"):
                assert not set("+#") & set(value), key


def test_every_component_asks_for_delivery_at_least_once_itself() -> None:
    """One for the whole device is not heeded before https://github.com/home-assistant/core/pull/170195."""
    for key, component in payload()["cmps"].items():
        assert component["qos"] == 1, key


CLASSES = {
    "step": (None, None, None, None),
    "current_region": (None, None, None, None),
    "remaining": ("duration", None, "s", None),  # what lies ahead is no measurement
    "asked_speed": (None, "measurement", "1/min", None),
    "reported_speed": (None, "measurement", "1/min", None),
    "battery": ("battery", "measurement", "%", "diagnostic"),
    "dose_today": ("duration", "total_increasing", "s", None),  # from 0 each day, and never less
    "answer": (None, None, None, "diagnostic"),
    "problem": ("problem", None, None, None),
    "intensity": (None, None, "%", None),
}
"""Device class, state class, unit and category of each entity that shows a value; by the pages named below."""


def test_classes_units_and_categories_go_together() -> None:
    """By https://developers.home-assistant.io/docs/core/entity/sensor and .../entity/binary-sensor.

    A battery is in %, a duration in d, h, min, s, ms or µs; both bear these state classes. What has a unit or a state
    class is a number. There is no device class for percussions a minute (frequency is in Hz), so it has none. What can
    only be read is never of the category ``config``: Home Assistant refuses it then.
    """
    components = payload()["cmps"]
    names = ("device_class", "state_class", "unit_of_measurement", "entity_category")
    assert {key: tuple(components[key].get(name) for name in names) for key in CLASSES} == CLASSES
    for key in components.keys() - CLASSES.keys():
        assert not set(names) & set(components[key]), key


def test_all_that_was_promised_is_there() -> None:
    platforms = {key: component["p"] for key, component in payload()["cmps"].items()}
    buttons = ("start", "pause", "resume", "skip", "stop", "emergency_stop")
    sensors = ("step", "current_region", "remaining", "asked_speed", "reported_speed", "battery", "dose_today")
    assert platforms == {
        "run": "fan",
        "intensity": "number",
        "routine": "select",
        "region": "select",
        **{f"{name}_button": "button" for name in buttons},
        **dict.fromkeys((*sensors, "answer"), "sensor"),
        "problem": "binary_sensor",
        "events": "event",
    }
    assert payload(massagers=("a", "b"))["cmps"]["massager"]["options"] == ["a", "b"]


def test_ids_are_of_their_own_and_depend_on_nothing_but_the_installation() -> None:
    first, later = payload()["cmps"], payload(most=40, massagers=("a", "b"))["cmps"]
    ids = [component["unique_id"] for component in first.values()]
    assert len(set(ids)) == len(ids)
    assert all(unique.startswith("percuss_0123456789ab_") for unique in ids)
    assert all(later[key]["unique_id"] == component["unique_id"] for key, component in first.items())


def test_the_caps_are_the_ends_of_the_slider_and_of_the_fan() -> None:
    made = payload(least=3, most=62)["cmps"]
    assert (made["intensity"]["min"], made["intensity"]["max"]) == (3, 62)
    assert (made["run"]["speed_range_min"], made["run"]["speed_range_max"]) == (3, 62)


def test_a_switch_has_no_slider_because_its_ends_must_differ() -> None:
    made = payload(least=100, most=100)["cmps"]
    assert "intensity" not in made
    assert not {"speed_range_min", "percentage_command_topic"} & set(made["run"])


def test_nothing_is_ever_sent_retained() -> None:
    for key, component in payload()["cmps"].items():
        assert "command_topic" not in component or component["retain"] is False, key


def test_the_events_are_those_that_are_told() -> None:
    events = payload()["cmps"]["events"]
    assert events["state_topic"] == TOPICS.event
    assert events["event_types"] == list(EVENT_TYPES.values())


def test_what_is_gone_is_left_as_a_mere_platform() -> None:
    made = with_removed(payload(), {"run": "fan", "old": "sensor"})
    assert made["cmps"]["old"] == {"p": "sensor"}
    assert made["cmps"]["run"] == payload()["cmps"]["run"]
    assert with_removed(payload(), {}) == payload()


NOW = datetime(2026, 11, 21, 15, 0, 0, 123456, tzinfo=UTC)


def render(template: str, **values: Any) -> str:
    """As Home Assistant renders it: sandboxed, with its own names for time and JSON."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    environment.globals.update(now=lambda: NOW, timedelta=timedelta)
    environment.filters["to_json"] = json.dumps
    return environment.from_string(template).render(**values)


def pressed(key: str, value: object = "PRESS", name: str = "command_template") -> Command:
    """What arrives when somebody uses an entity, let in as the inbox does."""
    command = read_command(render(payload()["cmps"][key][name], value=value).encode())
    Admission(NOW - timedelta(minutes=5)).check(command, is_retained=False, connected_s=60.0, now_utc=NOW)
    return command


def test_every_button_is_a_command_that_is_let_in() -> None:
    assert isinstance(pressed("start_button"), Start)
    for name in ("pause", "resume", "skip"):
        command = pressed(f"{name}_button")
        assert isinstance(command, Ask)
        assert command.do == name
    for name in ("stop", "emergency_stop"):
        command = pressed(f"{name}_button")
        assert isinstance(command, Halt)
        assert command.do == name


def test_the_fan_holds_and_stops() -> None:
    on, off = pressed("run", "ON"), pressed("run", "OFF")
    assert isinstance(on, Hold)
    assert on.percent is None
    assert isinstance(off, Halt)
    stronger = pressed("run", 30, "percentage_command_template")
    assert isinstance(stronger, Hold)
    assert stronger.percent == 30


def test_number_and_selects_only_choose() -> None:
    intensity = pressed("intensity", 30.0)
    assert isinstance(intensity, Intensity)
    assert intensity.percent == 30
    routine, region = pressed("routine", "short-break"), pressed("region", "calves")
    assert isinstance(routine, Choose)
    assert isinstance(region, Choose)
    assert (routine.routine, region.region) == ("short-break", "calves")


def test_a_press_is_good_for_ten_seconds_and_two_presses_differ() -> None:
    command = pressed("start_button")
    assert command.expires_at == NOW + timedelta(seconds=10)
    ids = {pressed("start_button").id for _ in range(20)}
    assert len(ids) > 1, "also two presses in one microsecond"


@pytest.mark.parametrize(
    ("key", "name", "state", "shown"),
    [
        ("run", "state_value_template", {"status": "idle"}, "OFF"),
        ("run", "state_value_template", {"status": "paused"}, "ON"),
        ("run", "percentage_value_template", {"choice": {"percent": 30}}, "30"),
        ("intensity", "value_template", {"choice": {"percent": None}}, "None"),
        ("region", "value_template", {"choice": {"region": "calves"}}, "calves"),
        ("remaining", "value_template", {"left_s": 61}, "61"),
        ("battery", "value_template", {"battery_pct": None}, "None"),
        ("answer", "value_template", {"said": "no session runs. Start one."}, "no session runs. Start one."),
        ("answer", "value_template", {"said": "x" * 300}, "x" * 255),  # the most that a state may have
        ("problem", "value_template", {"problem": ""}, "OFF"),
        ("problem", "value_template", {"problem": "it burns"}, "ON"),
        ("problem", "json_attributes_template", {"problem": 'a "b"'}, '{"reason": "a \\"b\\""}'),
    ],
)
def test_the_state_is_shown(key: str, name: str, state: dict[str, Any], shown: str) -> None:
    """``None`` is how Home Assistant is told that something is not known."""
    assert render(payload()["cmps"][key][name], value_json=state) == shown
