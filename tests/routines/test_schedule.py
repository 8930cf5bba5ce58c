from firmware_profiles.commands import Interval
from routines.schedule import intervals_of
from routines.timeline import Span


def span(kind: str, duration_s: float) -> tuple[Span, float]:
    return Span(kind, duration_s, 1, 1, ""), duration_s  # type: ignore[arg-type]


def test_work_is_work_and_ways_and_rests_are_rest() -> None:
    left = [span("move", 8), span("work", 45), span("rest", 10)]
    assert intervals_of(left) == (Interval(8, is_rest=True), Interval(45), Interval(10, is_rest=True))


def test_whole_seconds_add_up_to_the_session() -> None:
    # Ends at 10.4, 20.8, 31.2: the whole seconds 10, 21 and 31.
    assert [each.duration_s for each in intervals_of([span("work", 10.4)] * 3)] == [10, 11, 10]


def test_what_is_shorter_than_half_a_second_is_left_out() -> None:
    assert intervals_of([(span("work", 45)[0], 0.3), span("rest", 10)]) == (Interval(10, is_rest=True),)
