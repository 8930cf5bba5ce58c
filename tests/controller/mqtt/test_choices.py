"""What is chosen lasts as long as there is what was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import RefusedError
from controller.mqtt.choices import Choices
from routines import library


async def test_a_routine_whose_file_is_removed_is_unchosen(home: Path) -> None:
    own = home / "routines" / "mine.toml"
    own.parent.mkdir()
    shipped = (library.BUNDLED / "short-break.toml").read_text(encoding="utf-8")
    own.write_text(shipped.replace('name = "short-break"', 'name = "mine"'), encoding="utf-8")
    choices = Choices()
    await choices.choose(routine="mine", region="calves", massager=None)
    assert (choices.routine, choices.region) == ("mine", "calves")
    own.unlink()
    await choices.look()
    assert "mine" not in choices.options.routines
    assert (choices.routine, choices.region) == (None, "calves")
    with pytest.raises(RefusedError, match="mine is no routine"):
        await choices.choose(routine="mine", region=None, massager=None)
