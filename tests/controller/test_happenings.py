from __future__ import annotations

import asyncio

from controller.happenings import Happening, Happenings, Missed


async def test_a_reader_gets_what_comes_after_its_number_and_then_each_as_it_happens() -> None:
    happenings = Happenings()
    for number in range(3):
        happenings.add("step", {"number": number})
    reader = happenings.read(after_id=1)
    seen = [await anext(reader), await anext(reader)]
    assert [one.data for one in seen if isinstance(one, Happening)] == [{"number": 1}, {"number": 2}]
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    happenings.add("step", {"number": 3}, session=7)
    one = await waiting
    assert isinstance(one, Happening)
    assert (one.id, one.session, one.data) == (4, 7, {"number": 3})


async def test_without_a_number_a_reader_begins_now() -> None:
    happenings = Happenings()
    happenings.add("old", {})
    reader = happenings.read()
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    happenings.add("new", {})
    one = await waiting
    assert isinstance(one, Happening)
    assert one.kind == "new"


async def test_a_reader_who_was_away_too_long_is_told_so_and_goes_on_with_what_is_there() -> None:
    happenings = Happenings(kept=2)
    for number in range(5):
        happenings.add("step", {"number": number})
    happenings.close()
    seen = [one async for one in happenings.read(after_id=0)]
    assert seen[0] == Missed(next_id=4)
    assert [one.id for one in seen if isinstance(one, Happening)] == [4, 5]


async def test_a_number_of_another_run_begins_with_the_first_that_is_kept() -> None:
    happenings = Happenings()
    happenings.add("first", {})
    happenings.close()
    assert [one.id async for one in happenings.read(after_id=900) if isinstance(one, Happening)] == [1]


async def test_many_readers_each_get_everything_at_their_own_pace() -> None:
    happenings = Happenings()
    slow, quick = happenings.read(after_id=0), happenings.read(after_id=0)
    for number in range(100):
        happenings.add("step", {"number": number})
    happenings.close()
    first = await anext(slow)
    assert isinstance(first, Happening)
    assert len([one async for one in quick]) == 100
    assert len([one async for one in slow]) == 99


def test_who_looks_now_and_then_gets_so_many_at_most_and_goes_on_behind_them() -> None:
    happenings = Happenings(kept=4)
    assert happenings.after(0, most=10) == []
    for number in range(6):
        happenings.add("step", {"number": number})
    missed, *first = happenings.after(0, most=2)
    assert missed == Missed(next_id=3)
    assert [one.id for one in first if isinstance(one, Happening)] == [3, 4]
    assert [one.id for one in happenings.after(4, most=10) if isinstance(one, Happening)] == [5, 6]
    assert happenings.after(6, most=10) == []
    assert [type(one) for one in happenings.after(900, most=10)] == [Missed, *[Happening] * 4]  # of another run
    assert not happenings.is_over
    happenings.close()
    assert happenings.is_over
