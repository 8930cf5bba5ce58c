"""What is told of the body is what the table says, and who changed the answers about the person is not."""

from __future__ import annotations

from routines.regions import regions
from routines.screening import questions
from tests.controller.http.serving import events, served


async def test_every_place_is_told_with_what_to_keep_off_there() -> None:
    async with served() as door:
        told = (await door.client.get("/api/v1/regions")).json()["regions"]
        assert [each["id"] for each in told] == list(regions())
        for each in told:
            region = regions()[each["id"]]
            assert (each["name"], each["landmark"], each["how"]) == (region.name, region.landmark, region.how)
            assert (tuple(each["avoid"]), each["check_first"]) == (region.avoid, region.check_first)
            assert (each["is_drivable"], each["why_not"]) == (region.drivable, region.why_not)
        assert (await door.stranger.get("/api/v1/regions")).status_code == 401


async def test_that_the_answers_changed_is_told_and_not_what_they_are() -> None:
    async with served() as door:
        answers = {each: {"yes": False} for each in questions()}
        assert (await door.client.post("/api/v1/screening", json={"answers": answers})).is_success
        assert (await door.client.delete("/api/v1/screening")).is_success
        assert (await door.client.post("/api/v1/screening", json={"answers": {}})).status_code == 422
        told = []
        async for each in events(door.client, 0):
            told += [each] if each.kind != "snapshot" else []
            if len(told) == 2:
                break
        assert [(each.kind, each.data["data"]) for each in told] == [("screening_changed", {})] * 2
        assert door.station.happenings.last_id == 2


async def test_a_snapshot_says_since_when_its_numbers_count() -> None:
    async with served() as one, served() as another:
        first = (await one.client.get("/api/v1/session")).json()
        assert (await one.client.get("/api/v1/session")).json()["began_utc"] == first["began_utc"]
        assert (await another.client.get("/api/v1/session")).json()["began_utc"] != first["began_utc"]
