"""The topics of one installation, and where it may be asked to answer."""

from __future__ import annotations

import pytest

from controller.mqtt.topics import Topics

TOPICS = Topics("percuss", "0123456789ab", "homeassistant")


def test_everything_of_an_installation_is_below_its_id() -> None:
    own = {TOPICS.availability, TOPICS.command, TOPICS.reply, TOPICS.state, TOPICS.event}
    assert len(own) == 5
    assert all(topic.startswith("percuss/0123456789ab/") for topic in own)
    assert Topics("home/percuss", "0123456789ab", "ha").command == "home/percuss/0123456789ab/command"
    assert Topics("home/percuss", "0123456789ab", "ha").config == "ha/device/percuss_0123456789ab/config"


def test_an_answer_may_be_asked_for_below_the_reply_topic() -> None:
    assert TOPICS.may_answer_at("percuss/0123456789ab/reply/phone")
    assert TOPICS.may_answer_at("percuss/0123456789ab/reply/room/tablet-2")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "phone",
        "percuss/0123456789ab/reply",
        "percuss/0123456789ab/command",
        "percuss/0123456789ab/replyphone",
        "percuss/ffffffffffff/reply/phone",
        "homeassistant/device/other/config",
        "$SYS/broker",
        "percuss/0123456789ab/reply/#",
        "percuss/0123456789ab/reply/+/x",
        "percuss/0123456789ab/reply/\x00",
        "percuss/0123456789ab/reply/\x1b[2J",
        "percuss/0123456789ab/reply/" + "x" * 200,
    ],
)
def test_and_nowhere_else(topic: str) -> None:
    """Whoever may send commands must not borrow the rights of the service to write to other topics."""
    assert not TOPICS.may_answer_at(topic)
