import pytest

from firmware_profiles.errors import MatchError
from firmware_profiles.library import load_profiles
from firmware_profiles.links import Match
from firmware_profiles.matching import Appearance, choose_profile, find_candidates
from firmware_profiles.schema import Profile

FFE0 = "0000ffe0-0000-1000-8000-00805f9b34fb"
PROFILES = list(load_profiles()[0].values())


def variant(profile_id: str, **match: object) -> Profile:
    """The Theragun's profile under another id, matched in another way."""
    base = load_profiles()[0]["theragun-gen4"]
    return base.model_copy(update={"id": profile_id, "match": (Match.model_validate(match, strict=False),)})


@pytest.mark.parametrize("name", ["Pro", "Elite", "Prime", "liv2", "ELITE"])
def test_a_theragun_is_known_by_name_and_service_together(name: str) -> None:
    candidates = find_candidates(Appearance(name=name, services=(FFE0,)), PROFILES)
    assert [candidate.profile.id for candidate in candidates] == ["theragun-gen4"]
    assert candidates[0].is_sure
    assert choose_profile(candidates, device=name).id == "theragun-gen4"


@pytest.mark.parametrize(
    "seen",
    [
        Appearance(name="Elite"),  # an everyday word alone
        Appearance(services=(FFE0,)),  # a service of many
        Appearance(name="HMSoft", services=(FFE0,)),
        Appearance(name="Elite Pro", services=(FFE0,)),  # not exactly the name
    ],
)
def test_a_name_or_a_shared_service_alone_claims_nothing(seen: Appearance) -> None:
    assert find_candidates(seen, PROFILES) == []


def test_a_usb_bridge_is_offered_but_never_chosen() -> None:
    candidates = find_candidates(Appearance(usb_id="1A86:7523"), PROFILES)
    assert [(candidate.profile.id, candidate.is_sure) for candidate in candidates] == [("lcus-relay", False)]
    with pytest.raises(MatchError, match=r"may be lcus-relay.*--profile"):
        choose_profile(candidates, device="/dev/ttyUSB0")


def test_a_service_that_is_said_to_be_unique_is_sure_by_itself() -> None:
    only = variant("x", service="FFE0", service_is_unique=True)
    assert find_candidates(Appearance(services=(FFE0,)), [only])[0].is_sure


def test_the_more_exact_match_wins() -> None:
    part, exact = (
        variant("part", name_contains=["lite"], service="FFE0"),
        variant("exact", name=["Elite"], service="FFE0"),
    )
    candidates = find_candidates(Appearance(name="Elite", services=(FFE0,)), [part, exact])
    assert choose_profile(candidates, device="d").id == "exact"


def test_two_equal_matches_are_asked_about() -> None:
    twins = [variant("a", name=["Elite"], service="FFE0"), variant("b", name=["Elite"], service="FFE0")]
    with pytest.raises(MatchError, match="a and b fit equally"):
        choose_profile(find_candidates(Appearance(name="Elite", services=(FFE0,)), twins), device="d")


def test_manufacturer_data_must_begin_as_said() -> None:
    profile = variant("m", manufacturer_id=0x092D, manufacturer_prefix="58 50")
    assert find_candidates(Appearance(manufacturer={0x092D: b"XP\x01"}), [profile])
    assert not find_candidates(Appearance(manufacturer={0x092D: b"CP\x01"}), [profile])
    assert not find_candidates(Appearance(manufacturer={0x4C57: b"XP\x01"}), [profile])


def test_nothing_known_says_what_to_do() -> None:
    with pytest.raises(MatchError, match="no profile is known"):
        choose_profile([], device="d")
