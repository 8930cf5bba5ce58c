import json
from collections.abc import Callable
from pathlib import Path

from controller.registry import PairedDevice, PairedIdentity, Registry
from tests.controller.cli.conftest import Result

Percuss = Callable[..., Result]


def paired(url: str, profile: str = "nlr-hf8") -> PairedDevice:
    return PairedDevice(url=url, profile=profile, identity=PairedIdentity(address=url))


def test_nothing_paired_says_how_to_begin(percuss: Percuss) -> None:
    result = percuss("devices")
    assert (result.code, result.out) == (0, "")
    assert "percuss scan" in result.err
    assert json.loads(percuss("devices", "--json").out) == {}


def test_forget_drops_one(percuss: Percuss) -> None:
    Registry().add("pad", paired("/dev/none"))
    assert "pad" in percuss("devices").out
    assert percuss("forget", "pad").code == 0
    assert Registry().devices() == {}
    assert percuss("forget", "pad").code == 5


def test_a_broken_devices_file_is_a_bad_file_for_every_command(percuss: Percuss, home: Path) -> None:
    (home / "devices.json").write_text('{"schema": 1, "dev')
    for arguments in (("devices",), ("forget", "x"), ("stop", "--all"), ("set", "x", "40%", "--for", "3s")):
        result = percuss(*arguments)
        assert result.code == 8, arguments
        assert f"{home / 'devices.json'}:1" in result.err
    assert (home / "devices.json").read_text() == '{"schema": 1, "dev'


def test_a_port_that_is_not_there_is_not_found(percuss: Percuss) -> None:
    result = percuss("pair", "/dev/ttyNONE", "--profile", "nlr-hf8")
    assert result.code == 5
    assert "/dev/ttyNONE" in result.err
    assert Registry().devices() == {}


def test_stopping_what_is_gone_is_loud_and_stops_the_others_all_the_same(percuss: Percuss) -> None:
    Registry().add("gone", paired("/dev/ttyNONE"))
    Registry().add("odd", paired("loop://", "no-such-profile"))
    Registry().add("pad", paired("loop://"))
    result = percuss("stop", "--all")
    assert result.code == 5
    assert "/dev/ttyNONE" in result.err
    assert "no-such-profile" in result.err
    assert "press its button" in result.err
    assert "pad: stopped" in result.out


def test_stop_asks_which_one(percuss: Percuss) -> None:
    Registry().add("one", paired("loop://"))
    Registry().add("two", paired("loop://"))
    result = percuss("stop")
    assert result.code == 2
    assert "one, two" in result.err
    assert percuss("stop", "one").code == 0
    assert json.loads(percuss("stop", "two", "--json").out) == {"two": {"proof": "cannot_report", "attempts": 3}}


def test_set_is_refused_above_the_strictest_cap_and_beyond_the_strictest_time(percuss: Percuss) -> None:
    Registry().add("pad", paired("loop://"))
    assert "percuss screening" in percuss("set", "pad", "30%", "--for", "5s").err
    assert percuss("screening", "--none").code == 0
    strong = percuss("set", "pad", "90%", "--for", "5s")
    assert strong.code == 4
    assert "your first session is gentle" in strong.err
    assert percuss("set", "pad", "30%", "--for", "10m").code == 4
    assert percuss("set", "pad", "140%", "--for", "5s").code in {2, 4}
    assert percuss("set", "pad", "-4%", "--for", "5s").code == 2
    assert percuss("set", "pad", "40", "--for", "5s").code == 2
    assert percuss("set", "pad", "40%", "--for", "soon").code == 2
    assert percuss("set", "pad", "40%").code == 2
