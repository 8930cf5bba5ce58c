"""What Home Assistant is told of this installation: one device with all its entities, in one payload.

The format is that of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.11 and later).
"""

from __future__ import annotations

from typing import Any

from controller.mqtt.choices import Choices
from controller.mqtt.limits import HoldLimits
from controller.mqtt.state import EVENT_TYPES
from controller.mqtt.topics import OFFLINE, ONLINE, Topics

LIFETIME_S = 10
"""How long a command of Home Assistant is good for: it is stamped when the button is pressed."""

STAMP = (
    '"id": "{{ now().timestamp() }}-{{ range(100000) | random }}", '
    f'"expires_at": "{{{{ (now() + timedelta(seconds={LIFETIME_S})).isoformat() }}}}"'
)
"""The id and expiry of a command, as Home Assistant fills them in."""

SHOWN_MAX_CHARS = 255
"""A longer state is none to Home Assistant."""

_BUTTONS = {
    "start": ("Start", "mdi:play"),
    "pause": ("Pause", "mdi:pause"),
    "resume": ("Resume", "mdi:play-pause"),
    "skip": ("Skip", "mdi:skip-next"),
    "stop": ("Stop", "mdi:stop"),
    "emergency_stop": ("Emergency stop", "mdi:alert-octagon"),
}


def discovery_payload(topics: Topics, choices: Choices, version: str) -> dict[str, Any]:
    """The payload for `Topics.config`, to be retained."""
    components = {
        **_run(topics, choices),
        **_selects(topics, choices),
        **{f"{do}_button": _button(topics, do, *shown) for do, shown in _BUTTONS.items()},
        **_sensors(topics),
    }
    for key, component in components.items():
        component["unique_id"] = f"{topics.object_id}_{key}"
        component["qos"] = 1  # here, because before May 2026 one for all of them was not heeded (core issue #170166)
    return {
        "dev": {"ids": [topics.object_id], "name": "percuss", "mf": "percuss", "mdl": "service", "sw": version},
        "o": {"name": "percuss", "sw": version},
        "availability_topic": topics.availability,
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "cmps": components,
    }


def with_removed(payload: dict[str, Any], before: dict[str, str]) -> dict[str, Any]:
    """The same, with a mere platform for each component of before that is no more: so it is removed.

    It stays so for ever, because Home Assistant may be away just now, and knows the component when it is back.
    """
    gone = {key: {"p": platform} for key, platform in before.items() if key not in payload["cmps"]}
    return {**payload, "cmps": {**payload["cmps"], **gone}}


def _say(do: str, values: str = "") -> str:
    """The template of a command; ``values`` are further keys."""
    return f'{{"do": "{do}", {values}{STAMP}}}'


def _run(topics: Topics, choices: Choices) -> dict[str, dict[str, Any]]:
    command = {"command_topic": topics.command, "retain": False}
    fan: dict[str, Any] = {
        "p": "fan",
        "name": "Run",
        "icon": "mdi:vibrate",
        **command,
        "command_template": "{% if value == 'ON' %}" + _say("hold") + '{% else %}{"do": "stop"}{% endif %}',
        "state_topic": topics.state,
        "state_value_template": "{{ 'OFF' if value_json.status == 'idle' else 'ON' }}",
    }
    least, most = 1, 100
    if isinstance(choices.limits, HoldLimits):
        least, most = choices.limits.least_percent, choices.limits.most_percent
    if least >= most:  # a device that is just on or off
        return {"run": fan}
    percent = '"percent": {{ value }}, '
    fan |= {
        "percentage_command_topic": topics.command,
        "percentage_command_template": _say("hold", percent),
        "percentage_state_topic": topics.state,
        "percentage_value_template": "{{ value_json.choice.percent }}",
        "speed_range_min": least,
        "speed_range_max": most,
    }
    number = {
        "p": "number",
        "name": "Intensity",
        "icon": "mdi:speedometer",
        **command,
        "command_template": _say("intensity", percent),
        "state_topic": topics.state,
        "value_template": "{{ value_json.choice.percent }}",
        "min": least,
        "max": most,
        "step": 1,
        "mode": "slider",
        "unit_of_measurement": "%",
    }
    return {"run": fan, "intensity": number}


def _selects(topics: Topics, choices: Choices) -> dict[str, dict[str, Any]]:
    options = {"routine": choices.options.routines, "region": choices.options.regions}
    if len(choices.options.massagers) > 1:
        options["massager"] = choices.options.massagers
    return {
        key: {
            "p": "select",
            "name": key.capitalize(),
            "command_topic": topics.command,
            "command_template": _say("choose", f'"{key}": "{{{{ value }}}}", '),
            "retain": False,
            "state_topic": topics.state,
            "value_template": f"{{{{ value_json.choice.{key} }}}}",
            "options": list(names),
        }
        for key, names in options.items()
    }


def _button(topics: Topics, do: str, name: str, icon: str) -> dict[str, Any]:
    return {
        "p": "button",
        "name": name,
        "icon": icon,
        "command_topic": topics.command,
        "command_template": _say(do),
        "retain": False,
    }


def _sensors(topics: Topics) -> dict[str, dict[str, Any]]:
    seconds = {"device_class": "duration", "unit_of_measurement": "s"}
    speed = {"unit_of_measurement": "1/min", "state_class": "measurement"}
    read: dict[str, tuple[str, str, dict[str, Any]]] = {
        "step": ("Step", "step", {}),
        "current_region": ("Current region", "region", {}),
        "remaining": ("Remaining", "left_s", seconds),
        "asked_speed": ("Asked speed", "asked_ppm", speed),
        "reported_speed": ("Reported speed", "reported_ppm", speed),
        "battery": (
            "Battery",
            "battery_pct",
            {
                "device_class": "battery",
                "unit_of_measurement": "%",
                "state_class": "measurement",
                "entity_category": "diagnostic",
            },
        ),
        "dose_today": ("Today's dose", "dose_today_s", {**seconds, "state_class": "total_increasing"}),
    }
    sensors: dict[str, dict[str, Any]] = {
        key: {
            "p": "sensor",
            "name": name,
            "state_topic": topics.state,
            "value_template": f"{{{{ value_json.{field} }}}}",
            **more,
        }
        for key, (name, field, more) in read.items()
    }
    answer = {
        "p": "sensor",
        "name": "Last answer",
        "icon": "mdi:message-reply-text",
        "entity_category": "diagnostic",
        "state_topic": topics.reply,
        "value_template": f"{{{{ value_json.said[:{SHOWN_MAX_CHARS}] }}}}",
    }
    problem = {
        "p": "binary_sensor",
        "name": "Problem",
        "device_class": "problem",
        "state_topic": topics.state,
        "value_template": "{{ 'ON' if value_json.problem else 'OFF' }}",
        "json_attributes_topic": topics.state,
        "json_attributes_template": "{{ {'reason': value_json.problem} | to_json }}",
    }
    steps = {"p": "event", "name": "Session", "state_topic": topics.event, "event_types": list(EVENT_TYPES.values())}
    return {**sensors, "answer": answer, "problem": problem, "events": steps}
