"""Events as values and back: what another process is told is what happened."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.events import Event, PainTold, SessionStarted, SpanStarted, event_json, event_of
from firmware_profiles.capabilities import Place

WORDS = st.text(max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
STARTED = st.builds(SessionStarted, routine=WORDS, duration_s=NUMBERS, devices=st.dictionaries(WORDS, WORDS))
EVENTS = st.one_of([STARTED, *(st.from_type(kind) for kind in get_args(Event) if kind is not SessionStarted)])


@given(EVENTS.filter(lambda event: "nan" not in repr(event) and "inf" not in repr(event)))
def test_an_event_comes_back_from_json_as_it_was(event: Event) -> None:
    told = json.loads(json.dumps(event_json(event)))
    assert event_of(told.pop("event"), told) == event


def test_places_come_back_as_places() -> None:
    told = json.loads(json.dumps(event_json(PainTold("after", 3, "calves", "left", (Place("heel", "right"),)))))
    again = event_of(told.pop("event"), told)
    assert isinstance(again, PainTold)
    assert again.also == (Place("heel", "right"),)


def test_what_is_no_event_is_none() -> None:
    assert event_of("snapshot", {}) is None


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=SpanStarted.__name__):
        event_of("span_started", {"index": "first"})
