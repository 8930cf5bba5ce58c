"""The picture of the body: every place is on it, on its side, inside the outline."""

from __future__ import annotations

import pytest

from controller.cli.guided import body
from firmware_profiles.capabilities import Place, Side
from routines.regions import regions

MIDDLE = body.WIDTH // 2


def cells(lines: list[str], mark: str) -> set[tuple[int, int]]:
    """Where a mark stands, the line of sides above and the explanation below aside."""
    return {(row, column) for row, line in enumerate(lines[1:-1]) for column, c in enumerate(line) if c == mark}


def drawn(view: body.View, now: list[Place], following: list[Place] | None = None) -> list[str]:
    return [line.plain for line in body.draw(view, now, following or [])]


@pytest.mark.parametrize("region", sorted(regions()))
def test_every_region_is_on_the_picture(region: str) -> None:
    view = body.PLACES[region][0]
    left, right = (cells(drawn(view, [Place(region, side)]), body.NOW) for side in ("left", "right"))
    assert left
    # Seen from behind left is left; seen from the front it is right.
    assert all((column < MIDDLE) == (view == "back") for _, column in left)
    assert right == {(row, body.WIDTH - 1 - column) for row, column in left}
    both = cells(drawn(view, [Place(region)]), body.NOW)
    assert both == left | right


@pytest.mark.parametrize("region", sorted(regions()))
def test_a_mark_is_inside_the_outline(region: str) -> None:
    view = body.PLACES[region][0]
    for row, column in cells(drawn(view, [Place(region)]), body.NOW):
        outline = body.OUTLINE[row].ljust(body.WIDTH)
        assert outline[column] in " _", "it hides a line of the body"
        assert outline[:column].strip(), "it is outside"
        assert outline[column + 1 :].strip(), "it is outside"


def test_the_body_is_the_same_on_both_sides() -> None:
    mirror = str.maketrans(r"/\()", r"\/)(")
    for line in body.OUTLINE:
        full = line.ljust(body.WIDTH)
        assert full == full[::-1].translate(mirror)


def test_the_sides_are_named_as_one_sees_them() -> None:
    assert drawn("back", [])[0].split() == ["left", "BACK", "right"]
    assert drawn("front", [])[0].split() == ["right", "FRONT", "left"]


def test_places_at_the_same_time_are_all_marked_and_now_covers_next() -> None:
    now = [Place("calves", "left"), Place("lumbar_paraspinal", "right")]
    lines = drawn("back", now, [Place("calves")])
    alone = [cells(drawn("back", [place]), body.NOW) for place in now]
    assert cells(lines, body.NOW) == alone[0] | alone[1]
    assert all(column > MIDDLE for _, column in cells(lines, body.NEXT))
    assert lines[-1].split() == ["#", "now", ":", "next"]


@pytest.mark.parametrize(
    ("now", "following", "seen"),
    [
        ([Place("calves", "left")], [Place("quadriceps", "left")], ("back",)),
        ([Place("quadriceps", "left")], [Place("calves", "left")], ("front",)),
        ([], [Place("iliopsoas", "right")], ("front",)),
        ([], [], ("back",)),
    ],
)
def test_the_body_turns_to_where_one_works(now: list[Place], following: list[Place], seen: tuple[str, ...]) -> None:
    assert body.views(now, following, are_both_shown=False) == seen
    assert body.views(now, following, are_both_shown=True) == ("back", "front")


def test_sides_are_never_mixed_up() -> None:
    sides: tuple[Side, Side] = ("left", "right")
    for side in sides:
        back = cells(drawn("back", [Place("hamstrings", side)]), body.NOW)
        front = cells(drawn("front", [Place("quadriceps", side)]), body.NOW)
        assert {column < MIDDLE for _, column in back} == {side == "left"}
        assert {column < MIDDLE for _, column in front} == {side == "right"}
