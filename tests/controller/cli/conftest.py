import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from controller.cli import main


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def percuss(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process, through the same `main` as the real one."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["percuss", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    return run
