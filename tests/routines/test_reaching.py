from __future__ import annotations

from collections.abc import Mapping

from firmware_profiles.capabilities import Capabilities, Place, Role
from routines.reaching import reach
from tests.routines.devices import gun, pad

ONE_GUN: Mapping[Role, Capabilities] = {"massager": gun()}
TWO_GUNS: Mapping[Role, Capabilities] = {"massager": gun(), "massager2": gun()}
GUN_AND_PAD: Mapping[Role, Capabilities] = {"massager": gun(), "massager2": pad()}


def found(massagers: Mapping[Role, Capabilities], *places: Place) -> list[tuple[str, str, str]]:
    return [(each.role, each.channel.name, str(each.place)) for each in reach(massagers, places)]


def test_one_hand_held_massager_is_at_one_place_at_a_time() -> None:
    assert found(ONE_GUN, Place("calves", "left")) == [("massager", "head", "left calves")]
    assert found(ONE_GUN, Place("calves")) == []
    assert found(ONE_GUN, Place("calves", "left"), Place("heel", "left")) == []


def test_two_hand_held_massagers_are_at_two_places_and_at_no_third() -> None:
    left, right = ("massager", "head", "left calves"), ("massager2", "head", "right calves")
    assert found(TWO_GUNS, Place("calves")) == [left, right]
    assert found(TWO_GUNS, Place("calves", "left"), Place("calves", "right")) == [left, right]
    assert found(TWO_GUNS, Place("calves"), Place("heel", "left")) == []


def test_a_zoned_massager_is_at_all_its_places_at_once() -> None:
    back, thighs = Place("lumbar_paraspinal", "left"), Place("hamstrings")
    assert found({"massager": pad()}, back, thighs) == [
        ("massager", "back_l", "left lumbar paraspinal"),
        ("massager", "thigh_l", "left hamstrings"),
        ("massager", "thigh_r", "right hamstrings"),
    ]
    assert found({"massager": pad()}, back, Place("calves", "left")) == []


def test_a_zone_comes_before_a_massager_that_somebody_would_have_to_hold() -> None:
    assert found(GUN_AND_PAD, Place("hamstrings", "left")) == [("massager2", "thigh_l", "left hamstrings")]
    assert found(GUN_AND_PAD, Place("calves", "left")) == [("massager", "head", "left calves")]


def test_a_zone_and_a_hand_share_the_two_sides_of_a_place() -> None:
    assert found(GUN_AND_PAD, Place("lumbar_paraspinal")) == [
        ("massager2", "back_l", "left lumbar paraspinal"),
        ("massager", "head", "right lumbar paraspinal"),
    ]


def test_a_motor_works_one_place_only() -> None:
    assert found({"massager": pad()}, Place("hamstrings", "left"), Place("hamstrings", "left")) == []
    assert found({}, Place("hamstrings", "left")) == []
