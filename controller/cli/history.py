"""``history``: look back on past sessions, and say what the day after was like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.cli.completion import complete_devices, complete_routines
from controller.cli.output import print_json, print_table, print_written, say

if TYPE_CHECKING:
    from controller.journal.reading import Happenings, PastSession
    from controller.service.history import Course

Command = TypeVar("Command", bound=Callable[..., Any])

SHOWN_DAYS = 30
"""`list` and `plot` go back so far when nobody says how far."""

NOTHING = "nothing was run yet. Begin with `percuss demo`, or `percuss run piriformis-release`."
NO_MATCH = "no session is like that. `percuss history list --all` shows every one."
NOT_FELT = "no real device was driven in that time. --simulated shows the sessions on simulators."
LONGEST_NOTE = 500

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
simulated_option = click.option(
    "--simulated", "is_simulated", is_flag=True, help="The sessions on simulators instead, which no body felt."
)
all_option = click.option("--all", "is_all", is_flag=True, help=f"From the first one; else the last {SHOWN_DAYS} days.")
force_option = click.option("--force", is_flag=True, help="Replace the file if it is there.")


class _ListsByDefault(click.Group):
    """A group that means its command ``list`` when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` first where no command is; completion is left to see all of them."""
        names_none = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if names_none and not ctx.resilient_parsing:
            args = ["list", *args]
        return super().parse_args(ctx, args)


def period_options(command: Command) -> Command:
    """Add ``--days`` and ``--since``."""
    since = click.option(
        "--since", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="From this day on, in local time."
    )
    days = click.option(
        "--days", type=click.IntRange(1, 40_000), metavar="N", help="Today and the days before: N days."
    )
    return days(since(command))


@click.group(cls=_ListsByDefault)
def history() -> None:
    """Past sessions: list, show, totals, plot, export; note the day after.

    Without a command it lists them. Sessions on simulators are marked, and count in no total of a body.
    """


@history.command("list")
@period_options
@all_option
@click.option("--routine", metavar="NAME", shell_complete=complete_routines, help="Only of this routine.")
@click.option("--device", metavar="NAME", shell_complete=complete_devices, help="Only on this device.")
@as_json_option
def list_sessions(
    days: int | None, since: datetime | None, is_all: bool, routine: str | None, device: str | None, as_json: bool
) -> None:
    """List the sessions, newest first."""
    from controller.cli.history_text import session_table
    from controller.service import history as past
    from controller.service.history_export import session_json

    since_utc = _since(days, since, is_all, default_days=SHOWN_DAYS)
    sessions = past.sessions_since(since_utc, routine=routine, device=device)
    running = past.running_processes()
    if as_json:
        print_json({"sessions": [session_json(session, running) for session in sessions]})
        return
    earlier = past.count_before(since_utc) if since_utc is not None else 0
    if sessions:
        print_table(*session_table(sessions, running))
    elif routine is not None or device is not None or earlier:
        say(NO_MATCH)
    else:
        say(NOTHING)
    if earlier and (days, since) == (None, None):
        say(f"{_many(earlier)} from before the last {SHOWN_DAYS} days: --all shows them too.")
    _ask_about_yesterday(sessions)


@history.command()
@click.argument("number", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@as_json_option
def show(number: int, as_json: bool) -> None:
    """Show one session: its steps, levels, answers, refusals and stops."""
    from controller.cli.history_text import STEP_HEADINGS, ending_lines, heading_lines, step_rows
    from controller.service import history as past
    from controller.service.history_export import session_json

    session, happened = _found(number)
    running = past.running_processes()
    if as_json:
        print_json(session_json(session, running, happened))
        return
    click.echo("\n".join(heading_lines(session)))
    if session.steps:
        print_table(STEP_HEADINGS, step_rows(session, happened))
    click.echo("\n".join(ending_lines(session, happened, running)))


@history.command()
@period_options
@simulated_option
@as_json_option
def totals(days: int | None, since: datetime | None, is_simulated: bool, as_json: bool) -> None:
    """Add up what each place got, and say what is left for now."""
    from dataclasses import asdict

    from controller.cli.durations import clock_text
    from controller.cli.history_text import totals_table
    from controller.service import history as past
    from routines.dose import DAY_MAX_S, DAY_SESSIONS

    since_utc = _since(days, since, True)
    sessions = past.sessions_since(since_utc)
    told = past.totals(sessions, is_simulated=is_simulated)
    if as_json:
        print_json({"is_simulated": is_simulated, "since_utc": since_utc and since_utc.isoformat(), **asdict(told)})
        return
    if not told.places:
        say(NOTHING if not sessions and since_utc is None else NOT_FELT)
        return
    felt = ", on simulators: no body felt them" if is_simulated else ""
    click.echo(f"{_many(told.sessions)} on {told.days} {'day' if told.days == 1 else 'days'}{felt}")
    print_table(*totals_table(told, is_simulated=is_simulated))
    if not is_simulated:
        for rest in told.rests:
            click.echo(f"Rest: {rest}.")
        click.echo(f"Left of {clock_text(DAY_MAX_S)} a side and {DAY_SESSIONS} sessions a place in any 24 hours.")


@history.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@period_options
@all_option
@simulated_option
@force_option
def plot(
    file: Path | None, days: int | None, since: datetime | None, is_all: bool, is_simulated: bool, force: bool
) -> None:
    """Draw what the body got by day and region, and pain before and after.

    FILE ends in .svg or .png. Without it the drawing comes to the terminal.
    """
    from controller import charts
    from controller.private_files import write_file
    from controller.service import history as past

    kind = None if file is None else file.suffix.lower()
    if kind not in {None, ".svg", ".png"}:
        raise click.BadParameter("the name must end in .svg or .png.", param_hint="FILE")
    since_utc = _since(days, since, is_all, default_days=SHOWN_DAYS)
    course = _course(past.sessions_since(since_utc), is_simulated=is_simulated, file=file)
    try:
        if file is None:
            click.echo(charts.terminal_text(course))
            return
        picture = charts.draw(course, "svg" if kind == ".svg" else "png")
    except ImportError as problem:
        raise click.UsageError(f"drawing needs {problem.name}. Install it: pip install 'percuss[plot]'") from problem
    write_file(file, picture, may_replace=force, is_private=True)
    print_written(file)


@history.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--format", "kind", type=click.Choice(["csv", "json"]), help="Default: as FILE ends, else csv.")
@period_options
@force_option
def export(file: Path | None, kind: str | None, days: int | None, since: datetime | None, force: bool) -> None:
    """Write all sessions with their steps as a table (CSV) or as JSON, to FILE or to stdout."""
    from controller.cli.exits import Exit
    from controller.private_files import write_file
    from controller.service import history as past
    from controller.service.history_export import export_text

    kind = kind or {"": "csv", ".csv": "csv", ".json": "json"}.get("" if file is None else file.suffix.lower())
    if kind is None:
        raise click.UsageError(f"What shall {file} be? Name it .csv or .json, or give --format.")
    sessions = past.sessions_since(_since(days, since, True))
    text = export_text(sessions[::-1], past.running_processes(), "json" if kind == "json" else "csv")
    if file is None or str(file) == "-":
        click.echo(text, nl=False)
        return
    if not sessions:
        say(NO_MATCH if past.sessions_since() else NOTHING)
        raise click.exceptions.Exit(Exit.NOT_FOUND)
    write_file(file, text.encode(), may_replace=force, is_private=True)
    print_written(file, f" ({_many(len(sessions))})")


@history.command()
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@click.option("--pain", type=click.IntRange(0, 10), help="How much it hurts, 0 to 10.")
@click.option("--session", "number", type=click.IntRange(1, 2**31 - 1), metavar="ID", help="After which session.")
@as_json_option
def note(words: tuple[str, ...], pain: int | None, number: int | None, as_json: bool) -> None:
    """Say what the day after a session was like.

    Without --session it is about the newest session on a real device from before today. Saying it again replaces it.

    For example: percuss history note "a little sore" --pain 2
    """
    from controller.cli.history_text import session_text
    from controller.service import history as past
    from controller.service.history_export import session_json

    text = "".join(character for character in " ".join(" ".join(words).split()) if character.isprintable())
    if not text and pain is None:
        raise click.UsageError("Say something: a few words, or --pain 3, or both.")
    if len(text) > LONGEST_NOTE:
        raise click.UsageError(f"That is {len(text)} characters; at most {LONGEST_NOTE} are kept.")
    session = _noted_session(number)
    is_replaced = past.note(session, score=pain, text=text)
    if as_json:
        print_json(session_json(_noted_session(session.id), past.running_processes()))
        return
    click.echo(f"{'changed' if is_replaced else 'noted'} for session {session.id} ({session_text(session)})")


def _noted_session(number: int | None) -> PastSession:
    from controller.service import history as past

    if number is not None:
        return _found(number)[0]
    if (latest := past.latest_before_today(past.sessions_since(), today=date.today())) is None:
        raise click.UsageError("No real device was driven before today. Say which one you mean: --session ID.")
    return latest


def _found(number: int) -> tuple[PastSession, Happenings]:
    from controller.service import history as past

    if (found := past.find_session(number)) is not None:
        return found
    raise click.UsageError(f"There is no session {number}. `percuss history list --all` shows every one.")


def _course(sessions: list[PastSession], *, is_simulated: bool, file: Path | None) -> Course:
    """What is drawn. Where there is nothing it says so and ends: well, unless a file was wanted."""
    from controller.cli.exits import Exit
    from controller.service import history as past

    if any(session.is_simulated is is_simulated for session in sessions):
        return past.course(sessions, today=date.today(), is_simulated=is_simulated)
    if sessions and not is_simulated:
        say(NOT_FELT)
    else:
        none = "there is no such session in that time. --all goes back to the first one."
        say(none if past.sessions_since() else NOTHING)
    raise click.exceptions.Exit(Exit.DONE if file is None else Exit.NOT_FOUND)


def _ask_about_yesterday(sessions: list[PastSession]) -> None:
    from controller.service import history as past

    session = past.without_answer(sessions, today=date.today())
    if session is not None:
        command = f'percuss history note --session {session.id} "a little sore" --pain 2'
        say(f"How was it after session {session.id} yesterday? Say it: {command}")


def _since(
    days: int | None, since: datetime | None, is_all: bool, *, default_days: int | None = None
) -> datetime | None:
    """The first moment that is meant; None for everything."""
    from controller.service.history import start_of

    if sum((days is not None, since is not None, is_all and default_days is not None)) > 1:
        raise click.UsageError("--days, --since and --all exclude each other.")
    if since is None and days is None and (is_all or default_days is None):
        return None
    first = since.date() if since is not None else date.today() - timedelta(days=(days or default_days or 1) - 1)
    try:
        return start_of(first)
    except (ValueError, OverflowError, OSError) as problem:
        raise click.BadParameter(f"{first} is no day that this computer knows.", param_hint="--since") from problem


def _many(sessions: int) -> str:
    return f"{sessions} session{'' if sessions == 1 else 's'}"
