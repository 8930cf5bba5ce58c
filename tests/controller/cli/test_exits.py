import click
import pytest

from controller.cli.exits import Exit, exit_of_outcome, tell
from controller.errors import AdapterError, DeviceBusyError, IdentityError, LinkLostError, RegistryError
from controller.events import Outcome


def test_an_error_of_ours_is_a_sentence_with_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(ZeroDivisionError("by zero")) is Exit.INTERNAL
    assert "PERCUSS_DEBUG=1" in capsys.readouterr().err


def test_debugging_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCUSS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        tell(ZeroDivisionError())


def test_ctrl_c_outside_a_session_counts_as_stopped() -> None:
    assert tell(KeyboardInterrupt()) is Exit.STOPPED
    assert tell(click.Abort()) is Exit.STOPPED


def test_each_kind_of_error_has_its_code() -> None:
    from pathlib import Path

    assert tell(IdentityError("x")) is Exit.REFUSED
    assert tell(AdapterError("x")) is Exit.NOT_FOUND
    assert tell(DeviceBusyError("x")) is Exit.NOT_FOUND
    assert tell(LinkLostError("x")) is Exit.LINK_LOST
    assert tell(RegistryError("x", path=Path("f"))) is Exit.BAD_FILE


def test_every_outcome_has_a_code() -> None:
    from typing import get_args

    assert {exit_of_outcome(outcome) for outcome in get_args(Outcome)} == {
        Exit.DONE,
        Exit.STOPPED,
        Exit.REFUSED,
        Exit.LINK_LOST,
        Exit.DEVICE_FAULT,
        Exit.STOP_UNCONFIRMED,
    }
