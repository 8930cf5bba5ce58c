import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without D-Bus, whatever this one has."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")


def findings(result: Result) -> dict[str, dict[str, object]]:
    return {str(finding["topic"]): finding for finding in json.loads(result.out)["findings"]}


def test_what_is_broken_is_named_with_its_mend(percuss: Percuss) -> None:
    result = percuss("doctor", "--json")
    assert result.code == 5
    bluetooth = findings(result)["Bluetooth"]
    assert not bluetooth["works"]
    assert "D-Bus" in str(bluetooth["seen"])
    assert "Start D-Bus" in str(bluetooth["fix"])


def test_every_topic_is_looked_at_even_when_one_is_broken(percuss: Percuss, home: Path) -> None:
    (home / "devices.json").write_text("{")
    (home / "profiles").mkdir()
    (home / "profiles" / "bad.toml").write_text("x = 1\n")
    found = findings(percuss("doctor", "--json"))
    assert {"Bluetooth", "virtual Bluetooth", "configuration", "paired devices", "profiles", "simulators"} <= set(found)
    assert f"{home / 'devices.json'}:1" in str(found["paired devices"]["seen"])
    assert f"{home / 'profiles' / 'bad.toml'}:1: x" in str(found["profiles"]["seen"])
    assert found["configuration"]["works"]


def test_the_table_says_what_to_mend(percuss: Percuss) -> None:
    lines = percuss("doctor").out.splitlines()
    assert any(line.split()[:2] == ["MEND", "Bluetooth"] for line in lines)
    assert any(line.split()[:2] == ["ok", "profiles"] for line in lines)
