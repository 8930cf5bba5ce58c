"""Every bundled profile is found by what its device shows, and claims nobody else's."""

import pytest

from firmware_profiles.library import BUNDLED
from firmware_profiles.links import Match, full_uuid
from firmware_profiles.loader import read_profile
from firmware_profiles.matching import Appearance, find_candidates
from firmware_profiles.schema import Profile

PROFILES = [read_profile(path) for path in sorted(BUNDLED.glob("*.toml"))]
WIRELESS = [profile for profile in PROFILES if profile.ble is not None]
NUS = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
SHARED_SERVICES = (*(full_uuid(short) for short in ("FFE0", "FFE5", "FFF0", "FEE9", "FFB0")), NUS)
"""Services that unrelated products offer, among them plain serial modules."""

USB_BRIDGES = ("1A86:7523", "0403:6001", "10C4:EA60", "067B:2303")
"""CH340, FT232R, CP210x, PL2303: what they are soldered to, they do not say."""

STRANGERS = ("", "HMSoft", "Nordic_UART", "BT05", "Living room lamp", "Smart Scale", "iPhone", "Arduino")


def own_appearance(profile: Profile) -> Appearance:
    """What this device shows of itself over Bluetooth: its simulator's name, and what its first match looks for.

    Some devices advertise another service than the one that carries their frames.
    """
    assert profile.ble is not None
    services = [match.service for match in profile.match if match.service is not None]
    companies = [match.manufacturer_id for match in profile.match if match.manufacturer_id is not None]
    data = bytes.fromhex(profile.simulator.manufacturer_data)
    return Appearance(
        name=profile.simulator.advertised_name or profile.name,
        services=(*services[:1],) or (profile.ble.service,),
        manufacturer=dict.fromkeys(companies[:1], data),
    )


def appearances_of(match: Match) -> list[Appearance]:
    """What devices show that one table is meant for: one for each name, and no more than it asks for."""
    names = [*match.name, *(f"{prefix}01" for prefix in match.name_prefix), *(f"a {p} b" for p in match.name_contains)]
    company = match.manufacturer_id
    return [
        Appearance(
            name=name,
            services=() if match.service is None else (match.service,),
            manufacturer={} if company is None else {company: bytes.fromhex(match.manufacturer_prefix)},
        )
        for name in names or [""]
    ]


def sure_ids(appearance: Appearance) -> list[str]:
    return [candidate.profile.id for candidate in find_candidates(appearance, PROFILES) if candidate.is_sure]


def is_known_by_more_than_its_name(profile: Profile) -> bool:
    return any(match.service is not None or match.manufacturer_id is not None for match in profile.match)


@pytest.mark.parametrize("profile", WIRELESS, ids=lambda profile: profile.id)
def test_what_a_device_shows_makes_its_profile_and_no_other_sure(profile: Profile) -> None:
    candidates = find_candidates(own_appearance(profile), PROFILES)
    assert [candidate.profile.id for candidate in candidates][:1] == [profile.id], "it is offered before all others"
    sure = [candidate.profile.id for candidate in candidates if candidate.is_sure]
    assert sure == ([profile.id] if is_known_by_more_than_its_name(profile) else [])


@pytest.mark.parametrize("profile", WIRELESS, ids=lambda profile: profile.id)
def test_no_table_of_a_profile_makes_another_profile_sure(profile: Profile) -> None:
    for match in profile.match:
        for seen in appearances_of(match):
            assert set(sure_ids(seen)) <= {profile.id}, seen


@pytest.mark.parametrize("service", SHARED_SERVICES)
@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_with_a_shared_service_is_nobody_for_sure(name: str, service: str) -> None:
    assert sure_ids(Appearance(name=name, services=(service,))) == []


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_with_every_shared_service_is_nobody_for_sure(name: str) -> None:
    assert sure_ids(Appearance(name=name, services=SHARED_SERVICES)) == []


@pytest.mark.parametrize("profile", WIRELESS, ids=lambda profile: profile.id)
def test_the_service_of_a_profile_under_a_strangers_name_is_sure_only_where_it_is_unique(profile: Profile) -> None:
    assert profile.ble is not None
    for layout in profile.ble.layouts:
        unique = {
            other.id
            for other in PROFILES
            if any(match.service == layout.service and match.service_is_unique for match in other.match)
        }
        seen = Appearance(name="Living room lamp", services=(layout.service,))
        assert set(sure_ids(seen)) <= unique
        assert not unique or layout.service not in SHARED_SERVICES


@pytest.mark.parametrize("profile", WIRELESS, ids=lambda profile: profile.id)
def test_the_name_of_a_profile_alone_is_nobody_for_sure(profile: Profile) -> None:
    names = {name for match in profile.match for name in (*match.name, *match.name_prefix, *match.name_contains)}
    for name in {own_appearance(profile).name, *names}:
        assert sure_ids(Appearance(name=name)) == []


@pytest.mark.parametrize("bridge", USB_BRIDGES)
@pytest.mark.parametrize("product", ["", "USB Serial", "USB2.0-Serial", "FT232R USB UART"])
def test_a_usb_bridge_is_nobody_for_sure(bridge: str, product: str) -> None:
    assert sure_ids(Appearance(usb_id=bridge, usb_product=product)) == []
