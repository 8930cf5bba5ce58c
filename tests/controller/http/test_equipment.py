"""Devices over HTTP: found, paired, listed, forgotten, on real simulators."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller import api
from tests.controller.http.serving import served
from tests.helpers.processes import simulator


async def test_a_device_is_found_paired_listed_and_forgotten(tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8") as pad:
        async with served() as door:
            seen = (await door.client.post("/api/v1/scan", json={"for_s": 0.5})).json()
            found = next(each for each in seen["found"] if each["url"] == pad.url)
            assert (found["profile"], found["is_simulated"]) == ("nlr-hf8", True)
            wish = {"target": pad.url, "profile": "nlr-hf8", "name": "pad"}
            paired = await door.client.post("/api/v1/pair", json=wish)
            assert paired.status_code == 201, paired.text
            assert paired.json()["name"] == "pad"
            assert paired.json()["proof"] in {"confirmed", "cannot_report"}
            (listed,) = (await door.client.get("/api/v1/devices")).json()["devices"]
            assert (listed["name"], listed["profile"], listed["roles"]) == ("pad", "nlr-hf8", ["massager"])
            assert "parameters" not in listed
            again = (await door.client.post("/api/v1/scan", json={"for_s": 0.5})).json()
            assert [one["suggested_name"] for one in again["found"] if one["url"] == pad.url] == ["pad"]
            kinds = [one.kind for one in door.station.happenings.after(0, most=100)]  # type: ignore[union-attr]
            assert kinds == ["paired"]
            assert (await door.client.delete("/api/v1/devices/pad")).json() == {"name": "pad"}
            assert api.devices() == {}
            gone = await door.client.delete("/api/v1/devices/pad")
            assert (gone.status_code, gone.json()["type"]) == (404, "not_found")


async def test_two_of_a_kind_get_two_names_and_neither_takes_the_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with simulator(tmp_path, "nlr-hf8") as one, simulator(tmp_path / "other", "nlr-hf8") as two:
        async with served() as door:
            seen = (await door.client.post("/api/v1/scan", json={"for_s": 0.5})).json()
            names = {each["url"]: each["suggested_name"] for each in seen["found"]}
            assert names[one.url] != names[two.url]
            wish = {"target": one.url, "profile": "nlr-hf8", "name": "pad"}
            assert (await door.client.post("/api/v1/pair", json=wish)).status_code == 201
            other = await door.client.post("/api/v1/pair", json={**wish, "target": two.url})
            assert (other.status_code, other.json()["type"]) == (409, "refused")
            assert api.devices()["pad"].url == one.url
            assert (await door.client.post("/api/v1/pair", json=wish)).status_code == 201, "once more is no other one"


async def test_what_is_found_is_told_also_when_the_file_of_paired_devices_is_broken(home: Path, tmp_path: Path) -> None:
    with simulator(tmp_path, "nlr-hf8") as pad:
        async with served() as door:
            (home / "devices.json").write_text("{", encoding="utf-8")
            seen = (await door.client.post("/api/v1/scan", json={"for_s": 0.5})).json()
            assert pad.url in {each["url"] for each in seen["found"]}
            assert any("devices.json" in problem for problem in seen["problems"])


async def test_a_device_is_paired_with_a_pin_of_its_own_which_nobody_is_told(tmp_path: Path) -> None:
    with simulator(tmp_path, "jensen", "--ble", "--parameter", "pin=4711") as bed:
        async with served() as door:
            wish = {"target": bed.url, "profile": "jensen", "name": "bed"}
            too_long = await door.client.post("/api/v1/pair", json={**wish, "parameters": {"pin": "47110"}})
            assert (too_long.status_code, too_long.json()["type"], "47110" in too_long.text) == (422, "usage", False)
            unknown = await door.client.post("/api/v1/pair", json={**wish, "parameters": {"pan": "4711"}})
            assert (unknown.status_code, api.devices()) == (422, {})
            paired = await door.client.post("/api/v1/pair", json={**wish, "parameters": {"pin": "4711"}})
            assert (paired.status_code, "4711" in paired.text) == (201, False)
            assert api.devices()["bed"].parameters == {"pin": "4711"}
            assert "4711" not in (await door.client.get("/api/v1/devices")).text


async def test_nothing_is_kept_of_a_device_that_does_not_answer() -> None:
    async with served() as door:
        wish = {"target": "socket://127.0.0.1:1", "profile": "nlr-hf8"}
        answer = await door.client.post("/api/v1/pair", json=wish)
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")
        assert api.devices() == {}


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"target": ""},
        {"target": "x" * 301},
        {"target": "x", "name": "../x"},
        {"target": "x", "name": "a b"},
        {"target": "x", "profile": "../theragun"},
        {"target": "x", "more": 1},
        {"target": "/dev/\0", "profile": "nlr-hf8"},
        {"target": "x", "parameters": {"../pin": "1"}},
        {"target": "x", "parameters": {"pin": "1\n"}},
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(wish: dict[str, object]) -> None:
    async with served() as door:
        answer = await door.client.post("/api/v1/pair", json=wish)
        assert (answer.status_code, answer.json()["type"]) == (422, "usage")


async def test_two_do_not_search_at_once() -> None:
    async with served() as door:
        answers = await asyncio.gather(*(door.client.post("/api/v1/scan", json={"for_s": 0.3}) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
        assert (await door.client.post("/api/v1/scan", json={"for_s": 0.1})).status_code == 200
