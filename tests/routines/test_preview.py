from __future__ import annotations

import json

from routines.planner import plan
from routines.preview import rows
from tests.routines.devices import gun, routine, step, switch


def test_every_span_is_a_row_with_its_start_and_what_is_asked() -> None:
    timeline = plan(routine(step(technique="hold", intensity="firm", rest="5s")), {"massager": gun()})
    found = rows(timeline)
    assert [(row["start_s"], row["kind"], row["place"], row["driven"]) for row in found] == [
        (0, "move", "left piriformis", False),
        (8, "work", "left piriformis", True),
        (53, "rest", "left piriformis", False),
    ]
    assert (found[1]["asked_ppm"], found[1]["asked_percent"], found[1]["technique"]) == (2100, 87.5, "hold")
    assert found[0]["asked_ppm"] is None
    assert json.loads(json.dumps(found)) == found


def test_a_switch_has_no_speed_to_show() -> None:
    row = rows(plan(routine(step(move=0)), {"massager": switch()}))[0]
    assert row["driven"]
    assert row["asked_ppm"] is None
    assert "by hand" in row["note"]
