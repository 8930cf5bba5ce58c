from __future__ import annotations

from typing import Any

import pytest

from firmware_profiles.library import BUNDLED, load_profiles
from firmware_profiles.loader import load_profile
from firmware_profiles.matching import find_candidates
from firmware_profiles.review import review, shared_appearance
from firmware_profiles.schema import Profile

PAD = load_profile(BUNDLED / "nlr-hf8.toml")


def matching(profile_id: str, *matches: dict[str, Any], **more: Any) -> Profile:
    """The seat pad under another id, recognised in another way."""
    plain = PAD.model_dump(by_alias=True, mode="json") | {"id": profile_id, "match": list(matches)} | more
    return Profile.model_validate(plain, strict=False)


def keys(profile: Profile, *others: Profile) -> set[str]:
    return {remark.key for remark in review(profile, others)}


NAMED = {"name": ["Acme One"], "service": "FFE0"}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (NAMED, NAMED),
        (NAMED, {"name": ["acme one"], "service": "FFE0"}),
        ({"name_prefix": ["Acme"], "service": "FFE0"}, {"name_prefix": ["Acme O"], "service": "FFE0"}),
        ({"name_contains": ["One"], "service": "FFE0"}, {"name_contains": ["Acme"], "service": "FFE0"}),
        ({"service": "ABCD", "service_is_unique": True}, {"service": "ABCD", "service_is_unique": True}),
        (
            {"manufacturer_id": 7, "name": ["A"]},
            {"manufacturer_id": 7, "manufacturer_prefix": "01", "name": ["a"]},
        ),
        (
            {"usb": ["1A86:7523"], "usb_product_contains": ["Acme"]},
            {"usb": ["1A86:7523"], "usb_product_contains": ["One"]},
        ),
    ],
)
def test_two_profiles_that_are_equally_sure_of_one_device_are_told(
    mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    one, other = matching("one", mine), matching("other", theirs)
    seen = shared_appearance(one, other)
    assert seen is not None
    assert {found.profile.id for found in find_candidates(seen, (one, other)) if found.is_sure} == {"one", "other"}
    assert "match" in keys(one, other)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (NAMED, {"name": ["Acme Two"], "service": "FFE0"}),
        (NAMED, {"name": ["Acme One"], "service": "FFE5"}),
        # A name is worth 45 and a shared service 10: a name alone is not sure.
        (NAMED, {"name": ["Acme One"]}),
        # An exact name is surer than the beginning of one, so it is chosen.
        (NAMED, {"name_prefix": ["Acme"], "service": "FFE0"}),
        (NAMED, NAMED | {"name_excludes": ["One"]}),
        ({"manufacturer_id": 7, "name": ["A"]}, {"manufacturer_id": 8, "name": ["A"]}),
        ({"usb": ["1A86:7523"]}, {"usb": ["1A86:7523"]}),
    ],
)
def test_two_profiles_that_can_be_told_apart_are_not(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert shared_appearance(matching("one", mine), matching("other", theirs)) is None


def test_a_profile_is_not_compared_with_itself() -> None:
    one = matching("one", NAMED)
    assert "match" not in keys(one, one)


def test_the_shipped_profiles_can_be_told_apart() -> None:
    known, _ = load_profiles()
    assert [(p.id, remark.what) for p in known.values() for remark in review(p, known.values()) if remark.key == "match"
            and "as sure" in remark.what] == []  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"sources": [{"url": "a friend", "says": "so"}]}, "sources.0.url"),
        ({"sources": [{"url": "https://example.org/x", "says": " "}]}, "sources.0.says"),
        ({"level": {"unit": "level", "full": 255, "protocol_max": 255}}, "level.full"),
        ({"level": {"unit": "level", "full": 255}}, "level.full_ppm"),
        ({"match": []}, "match"),
        ({"vectors": [{"source": "", "command": "stop", "writes": ["00"]}]}, "vectors.0.source"),
        ({}, "reports.status"),
    ],
)
def test_what_a_profile_lacks_is_told_with_its_key(changes: dict[str, Any], key: str) -> None:
    plain = PAD.model_dump(by_alias=True, mode="json") | changes
    assert key in keys(Profile.model_validate(plain, strict=False))


def test_a_complete_profile_gets_no_remark_about_its_sources() -> None:
    plain = PAD.model_dump(by_alias=True, mode="json")
    plain["sources"] = [{"url": "https://example.org/x", "says": "All of it."}]
    plain["vectors"] = [{"source": "example.org", "command": "stop", "writes": ["00"]}]
    assert not {key for key in keys(Profile.model_validate(plain, strict=False)) if key.startswith(("sources", "vec"))}
