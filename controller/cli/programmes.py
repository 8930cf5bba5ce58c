"""``programmes``: several sessions over some days. They are shown here; the person starts each one."""

from __future__ import annotations

import click

from controller.cli.completion import complete_programmes
from controller.cli.output import print_json, print_table, print_wrapped, say


@click.group()
def programmes() -> None:
    """Programmes of several sessions: list, show. Nothing runs by itself."""


@programmes.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_programmes(as_json: bool) -> None:
    """List the programmes: those of percuss and your own."""
    from routines.programme import load_programmes

    known, broken = load_programmes()
    for _, problem in broken:
        say(f"percuss: {problem}")
    rows = [(name, each.title, len(each.sessions), each.sessions[-1].day) for name, each in sorted(known.items())]
    if as_json:
        print_json({"programmes": [{"name": n, "title": t, "sessions": s, "days": d} for n, t, s, d in rows]})
    else:
        print_table(("name", "what", "sessions", "days"), rows)


@programmes.command()
@click.argument("programme", metavar="NAME", shell_complete=complete_programmes)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def show(programme: str, as_json: bool) -> None:
    """Show a programme (its name, or its file): which routine on which day."""
    from controller.cli.durations import clock_text
    from routines.library import load_routines
    from routines.planner import plan
    from routines.programme import find_programme

    found = find_programme(programme)
    known, _ = load_routines()
    sessions = [(session.day, known[session.routine]) for session in found.sessions]
    timed = [(day, routine, plan(routine, {}).duration_s) for day, routine in sessions]
    if as_json:
        about = {"name": found.name, "title": found.title, "description": found.description}
        rows = [{"day": d, "routine": r.name, "title": r.title, "duration_s": s} for d, r, s in timed]
        print_json({**about, "sessions": rows, "sources": found.sources, "closing_note": found.closing_note})
        return
    print_wrapped(found.description.strip())
    days = [(day, routine.title, clock_text(time_s), f"percuss run {routine.name}") for day, routine, time_s in timed]
    print_table(("day", "what", "time", "start it with"), days, title=found.title)
    rests = "Each session is yours to start. A place rests four hours between two sessions and has at most two a day."
    print_wrapped(rests)
    if found.closing_note:
        print_wrapped(found.closing_note.strip())
