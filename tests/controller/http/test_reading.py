"""What can be looked at over HTTP: routines, plans, the history, the screening, figures, the page."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller import api, screening
from controller.service.binding import Binding
from firmware_profiles.folders import config_folder
from firmware_profiles.library import find_profile
from routines.library import load_routines
from routines.preview import rows
from routines.screening import questions
from tests.controller.http.serving import served


async def test_every_routine_is_listed_and_shown() -> None:
    known, _ = load_routines()
    async with served() as door:
        listed = (await door.client.get("/api/v1/routines")).json()
        assert [each["name"] for each in listed["routines"]] == sorted(known)
        assert listed["problems"] == []
        for name, routine in known.items():
            shown = (await door.client.get(f"/api/v1/routines/{name}")).json()
            assert (shown["title"], shown["text"]) == (routine.title, routine.text)
        missing = await door.client.get("/api/v1/routines/no-such-routine")
        assert (missing.status_code, missing.json()["detail"]) == (404, "There is no routine no-such-routine.")


async def test_a_file_that_cannot_be_used_is_told_beside_the_others() -> None:
    (config_folder() / "routines").mkdir()
    (config_folder() / "routines" / "mine.toml").write_text("nonsense = [")
    async with served() as door:
        listed = (await door.client.get("/api/v1/routines")).json()
        assert len(listed["problems"]) == 1
        assert "mine.toml" in listed["problems"][0]
        assert len(listed["routines"]) == len(load_routines()[0])


async def test_a_plan_is_what_would_run() -> None:
    profile = find_profile("theragun-gen4")
    stand_in = Binding(profile.id, "simulator:massager", profile, is_simulated=True)
    expected = api.plan("sciatica-relief", massager=stand_in)
    async with served() as door:
        wish = {"routine": "sciatica-relief", "simulator": "theragun-gen4"}
        plan = (await door.client.post("/api/v1/plan", json=wish)).json()
        assert plan["duration_s"] == expected.duration_s
        assert [step["asked_ppm"] for step in plan["steps"]] == [row["asked_ppm"] for row in rows(expected)]
        assert [(step["region"], step["side"]) for step in plan["steps"]] == [
            (span.region, span.side) for span in expected.spans
        ]
        again = (
            await door.client.post("/api/v1/plan", json={"script": plan["script"], **_only(wish, "simulator")})
        ).json()
        assert [step["asked_ppm"] for step in again["steps"]] == [step["asked_ppm"] for step in plan["steps"]]
        by_hand = (await door.client.post("/api/v1/plan", json={"routine": "short-break"})).json()
        assert not any(step["driven"] for step in by_hand["steps"])
        hold = {"hold": {"percent": 30, "duration_s": 20, "region": "calves"}, "simulator": "theragun-gen4"}
        held = (await door.client.post("/api/v1/plan", json=hold)).json()
        assert (held["script"], any(step["driven"] for step in held["steps"])) == (None, True)
        assert door.station.happenings.last_id == 0  # nothing was started


def _only(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: values[key]}


async def test_without_a_journal_there_is_nothing_to_look_back_on() -> None:
    async with served() as door:
        assert (await door.client.get("/api/v1/history")).json() == {"sessions": []}
        course = (await door.client.get("/api/v1/history/course?days=14")).json()
        assert course["pains"] == []
        assert all(day["regions"] == {} for day in course["days"])
        assert (await door.client.get("/api/v1/history/1")).status_code == 404
        assert not list(config_folder().glob("journal*"))


@pytest.mark.parametrize("query", ["days=0", "days=x", "days=99999999", "most=0", "most=1e9", "days=1&days=x"])
async def test_a_question_that_makes_no_sense_is_refused(query: str) -> None:
    async with served() as door:
        answer = await door.client.get(f"/api/v1/history?{query}")
        assert (answer.status_code, answer.json()["type"]) == (422, "usage")


async def test_the_screening_is_asked_and_answered() -> None:
    async with served() as door:
        before = (await door.client.get("/api/v1/screening")).json()
        assert before["state"] == "missing"
        assert [each["id"] for each in before["questions"]] == list(questions())
        answers: dict[str, Any] = {name: {"yes": False} for name in questions()}
        after = await door.client.post("/api/v1/screening", json={"answers": answers})
        assert (after.status_code, after.json()["state"]) == (200, "good")
        assert screening.require(now_utc=datetime.now(UTC)) == ()
        stop = next(name for name, each in questions().items() if each.tier == "emergency")
        refused = await door.client.post("/api/v1/screening", json={"answers": {**answers, stop: {"yes": True}}})
        assert refused.json()["state"] == "refused"
        assert questions()[stop].phrase in refused.json()["reason"]
        forgotten = await door.client.delete("/api/v1/screening")
        assert forgotten.json()["state"] == "missing"
        assert screening.load() is None


@pytest.mark.parametrize("spoil", ["missing", "strange", "side", "place", "control", "type"])
async def test_answers_that_cannot_be_meant_are_refused_and_the_old_ones_stay(spoil: str) -> None:
    plain = next(name for name, each in questions().items() if each.about == "everything")
    places = next(name for name, each in questions().items() if each.about == "places")
    good: dict[str, Any] = {name: {"yes": False} for name in questions()}
    bad = {
        "missing": {name: each for name, each in good.items() if name != plain},
        "strange": {**good, "no_such_question": {"yes": False}},
        "side": {**good, plain: {"yes": True, "side": "left"}},
        "place": {**good, places: {"yes": True, "places": ["the moon"]}},
        "control": {**good, plain: {"yes": True, "reason": "\u001b[2J"}},
        "type": {**good, plain: {"yes": "perhaps"}},
    }[spoil]
    async with served() as door:
        await door.client.post("/api/v1/screening", json={"answers": good})
        kept = screening.load()
        answer = await door.client.post("/api/v1/screening", json={"answers": bad})
        assert (answer.status_code, answer.json()["type"]) == (422, "usage"), answer.text
        assert screening.load() == kept


async def test_half_a_character_is_refused_as_anything_else_that_is_no_answer() -> None:
    async with served() as door:
        body = b'{"answers": {"\\ud800": {"yes": false}}}'
        answer = await door.client.post("/api/v1/screening", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (422, "usage")


async def test_the_figures_are_what_prometheus_reads() -> None:
    async with served() as door:
        answer = await door.client.get("/api/v1/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        assert families["percuss_session_running"].samples[0].value == 0
        assert families["percuss_emergency_stop"].samples[0].value == 0
        await door.client.post("/api/v1/emergency-stop")
        again = (await door.client.get("/api/v1/session")).json()
        assert again["emergency_stop"]["is_engaged"]
        assert "percuss_emergency_stop 1.0" in (await door.client.get("/api/v1/metrics")).text


async def test_the_document_is_openapi_31_and_knows_the_problem() -> None:
    async with served() as door:
        document = (await door.client.get("/api/v1/openapi.json")).json()
        assert document["openapi"].startswith("3.1.")
        assert document["info"]["version"] == version("percuss")
        assert set(document["components"]["schemas"]["Problem"]["required"]) == {"type", "title", "status", "detail"}
        names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
        assert len(names) == len(set(names))
        open_ones = [
            path for path, methods in document["paths"].items() for each in methods.values() if "security" not in each
        ]
        assert open_ones == ["/api/v1/health"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/v1/no", 404), ("PUT", "/api/v1/session", 405)])
async def test_what_is_not_there_is_a_problem_too(method: str, path: str, status: int) -> None:
    async with served() as door:
        answer = await door.client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.json()["type"] == "about:blank"


async def test_the_page_needs_no_token_and_comes_from_here_alone() -> None:
    async with served() as door:
        page = await door.stranger.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "http://" not in page.text.replace("http://www.w3.org", "")
        assert "https://" not in page.text
