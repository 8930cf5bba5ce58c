from __future__ import annotations

from pathlib import Path

import pytest

from routines.bounds import Bound
from routines.errors import RoutineError
from routines.own_limits import own_bounds
from routines.schema import Intensity

WHOLE = """
schema = 1
cap = "70%"
session = "10m"

[regions.lower_back]
cap = "gentle"
time = "30s"

[regions.heel]
leave_alone = "it is bruised"

[devices.elite]
cap = "1500 ppm"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "limits.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_limit_becomes_a_bound_that_names_the_file(tmp_path: Path) -> None:
    bounds = own_bounds(written(tmp_path, WHOLE))
    assert {(b.region, b.device, b.cap, b.left_s, b.session_s, b.is_refused) for b in bounds} == {
        (None, None, Intensity(percent=70), None, None, False),
        (None, None, None, None, 600.0, False),
        ("lumbar_paraspinal", None, Intensity(word="gentle"), None, None, False),
        ("lumbar_paraspinal", None, None, 30.0, None, False),
        ("heel", None, None, None, None, True),
        (None, "elite", Intensity(ppm=1500), None, None, False),
    }
    assert all("limits.toml" in bound.reason for bound in bounds)


def test_without_a_file_there_are_none(home: Path) -> None:
    assert own_bounds() == ()


def test_the_file_in_the_settings_folder_is_found(home: Path) -> None:
    written(home, 'schema = 1\ncap = "gentle"\n')
    assert [type(bound) for bound in own_bounds()] == [Bound]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('schema = 1\ncap = "120%"\n', 2, "100 %"),
        ('schema = 1\ncap = "strong"\n', 2, "no intensity"),
        ('schema = 1\ncap = "firm"\n', 2, "is no limit"),
        ('schema = 1\n[regions.knee]\ncap = "gentle"\n', 2, "no region"),
        ('schema = 1\n\nsession = "1h"\n', 3, "no unit"),
        ("schema = 1\nloosen = true\n", 2, "loosen"),
        ("schema = 1\n[regions.heel\n", 2, ""),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(RoutineError) as raised:
        own_bounds(written(tmp_path, text))
    assert raised.value.line == line
    assert says in str(raised.value)
