"""``screening``: the questions before a real device is driven."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.output import print_json, print_wrapped, say, say_wrapped, wrapped

if TYPE_CHECKING:
    from controller.service.binding import Bindings
    from routines.bounds import Bound
    from routines.screening import Answer, AnsweredSide, Answers, Question, Reason, Verdict

HOW_TO_ANSWER = (
    "this is no terminal to ask questions in. Read them with `percuss screening --questions`, then answer with "
    "`percuss screening --answers FILE` (TOML or JSON), or with `percuss screening --none` if every answer is no."
)
NOT_ADVICE = "This is not medical advice. When in doubt, leave it and ask somebody who knows."
INTRODUCTION = (
    "Some questions about you, so that the massager leaves alone what it should. They are answered about once a month "
    "and whenever something changes. The answers stay on this machine. Ctrl-C ends it and keeps nothing."
)


@click.command()
@click.option("--show", "wants_verdict", is_flag=True, help="What your answers allow.")
@click.option("--forget", "is_forgotten", is_flag=True, help="Remove your answers.")
@click.option("--questions", "wants_questions", is_flag=True, help="Print the questions.")
@click.option(
    "--answers", "file", metavar="FILE", type=click.Path(path_type=Path), help="Answer from a TOML or JSON file."
)
@click.option("--none", "is_none", is_flag=True, help="Answer no to every question, having read them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def screening(
    wants_verdict: bool, is_forgotten: bool, wants_questions: bool, file: Path | None, is_none: bool, as_json: bool
) -> None:
    """Answer the questions that come before a real device.

    What you answer decides what is left alone and what is held to gentle. It is kept on this machine only and holds
    for 30 days.
    """
    from controller import screening as store
    from routines.screening import all_no, answered

    if sum((wants_verdict, is_forgotten, wants_questions, file is not None, is_none)) > 1:
        raise click.UsageError("--show, --forget, --questions, --answers and --none exclude each other.")
    now_utc = datetime.now(UTC)
    if wants_questions:
        _print_questions(as_json=as_json)
    elif is_forgotten:
        say("your answers are forgotten." if store.forget() else "there were no answers to forget.")
    elif wants_verdict:
        _conclude(store.load(), now_utc, as_json=as_json)
    else:
        if is_none:
            answers = all_no(now_utc=now_utc)
        elif file is not None:
            answers = store.read_answers(file, now_utc=now_utc)
        elif sys.stdin.isatty():
            store.load()  # a broken file is told before thirty questions, not after
            answers = answered(_ask_all(), now_utc=datetime.now(UTC))
        else:
            raise click.UsageError(HOW_TO_ANSWER)
        store.save(answers)
        _conclude(answers, now_utc, as_json=as_json)


def ask_where_needed(bindings: Bindings) -> None:
    """Ask the questions before a real device is driven, where somebody is there to answer and no answers hold."""
    from controller import screening as store
    from controller.service.binding import touches_a_body
    from routines.screening import answered, assess

    if not sys.stdin.isatty() or not touches_a_body(bindings):
        return
    answers = store.load()
    if answers is not None and not assess(answers, now_utc=datetime.now(UTC)).is_expired:
        return
    answers = answered(_ask_all(), now_utc=datetime.now(UTC))
    store.save(answers)
    say_wrapped("\n".join(verdict_lines(assess(answers, now_utc=datetime.now(UTC)))))


def _conclude(answers: Answers | None, now_utc: datetime, *, as_json: bool) -> None:
    """Print what the answers allow, and end with the exit code that says whether a session may run."""
    from controller.cli.exits import Exit
    from routines.screening import assess

    verdict = assess(answers, now_utc=now_utc) if answers is not None else None
    if as_json:
        print_json(_verdict_json(answers, verdict))
    elif verdict is None:
        say("the questions are not answered yet. Answer them with `percuss screening`.")
    else:
        print_wrapped("\n".join(verdict_lines(verdict)))
    raise click.exceptions.Exit(Exit.DONE if verdict is not None and verdict.may_run else Exit.REFUSED)


def verdict_lines(verdict: Verdict) -> list[str]:
    """What a verdict means, in plain words, the most urgent first."""
    if verdict.is_expired:
        return [
            f"Please answer the questions again: {verdict.expired_because}.",
            "Until then no real device is driven. The command is: percuss screening",
        ]
    lines = [*_reason_lines(verdict.refusals), *_reason_lines(verdict.unacknowledged)]
    if not verdict.may_run:
        return [*lines, "No real device is driven for now. Answer again when something changes.", NOT_ADVICE]
    if verdict.bounds:
        lines += ["You may go on. The massager keeps to this:"]
        lines += [f"  {_bound_text(bound)}" for bound in verdict.bounds]
    else:
        lines += ["You may go on. Nothing you answered stands in the way."]
    until = f"The answers hold until {verdict.expires_utc:%Y-%m-%d}. Answer again sooner if something changes."
    return [*lines, until, NOT_ADVICE]


def _reason_lines(reasons: tuple[Reason, ...]) -> list[str]:
    """Each piece of advice once, with the answers that led to it below."""
    lines = []
    for advice in dict.fromkeys(reason.what_to_do for reason in reasons):
        lines.append(advice)
        lines += [f"  because {reason.phrase}" for reason in reasons if reason.what_to_do == advice]
    return lines


def _bound_text(bound: Bound) -> str:
    from routines.regions import regions

    place = "everything" if bound.region is None else regions()[bound.region].name
    side = f", {bound.side} side" if bound.side is not None else ""
    done = "left alone" if bound.is_refused else "held to gentle"
    return f"{place}{side}: {done}, because {bound.reason}"


def _verdict_json(answers: Answers | None, verdict: Verdict | None) -> dict[str, object]:
    if answers is None or verdict is None:
        return {"answered_utc": None, "may_run": False}
    return {
        "answered_utc": answers.answered_utc.isoformat(),
        "expires_utc": verdict.expires_utc.isoformat(),
        "may_run": verdict.may_run,
        "expired_because": verdict.expired_because or None,
        "refusals": [_reason_json(reason) for reason in verdict.refusals],
        "unacknowledged": [_reason_json(reason) for reason in verdict.unacknowledged],
        "bounds": [
            {
                "region": bound.region,
                "side": bound.side,
                "is_refused": bound.is_refused,
                "cap": None if bound.cap is None else str(bound.cap),
                "reason": bound.reason,
            }
            for bound in verdict.bounds
        ],
        "answers": {name: answer.model_dump(mode="json") for name, answer in answers.answers.items()},
    }


def _reason_json(reason: Reason) -> dict[str, str]:
    return {
        "question": reason.question,
        "tier": reason.tier,
        "phrase": reason.phrase,
        "what_to_do": reason.what_to_do,
    }


def _print_questions(*, as_json: bool) -> None:
    from routines.screening import consequence, question_table, questions_digest, what_to_do

    table = question_table()
    if as_json:
        print_json(
            {
                "digest": questions_digest(),
                "questions": [
                    {**each.model_dump(mode="json"), "consequence": consequence(each), "do": what_to_do(each)}
                    for each in table.questions
                ],
            }
        )
        return
    for tier in table.tiers:
        print_wrapped(f"{tier.title}\n{tier.effect} {tier.do}\n")
        for question in (question for question in table.questions if question.tier == tier.id):
            print_wrapped(f"  {question.id}\n    {question.ask}\n    {question.why}")
            if consequence(question) != tier.effect:
                print_wrapped(f"    If yes: {consequence(question)}")
        click.echo()


def _ask_all() -> dict[str, Answer]:
    """Ask every question. Ctrl-C keeps nothing."""
    from routines.screening import questions

    given: dict[str, Answer] = {}
    say_wrapped(f"{INTRODUCTION}\n{NOT_ADVICE}\nAnswer y (yes) or n (no).")
    try:
        for number, question in enumerate(questions().values(), start=1):
            say_wrapped(f"\n{number} of {len(questions())}: {question.ask}")
            given[question.id] = _ask(question)
    except (KeyboardInterrupt, click.Abort):
        _abandon(given)
        raise
    return given


def _abandon(given: dict[str, Answer]) -> None:
    """Keep nothing of a broken-off round, nor older answers that let run what the new ones would not."""
    from controller import screening as store
    from routines.screening import answered, assess

    now_utc = datetime.now(UTC)
    say_wrapped("\nNothing was kept.")
    if assess(answered(given, now_utc=now_utc), now_utc=now_utc).refusals and store.forget():
        say_wrapped("What you just said does not fit your earlier answers, so those are forgotten too.")


def _ask(question: Question) -> Answer:
    """Ask one question, and what has to be known after a yes."""
    from routines.screening import Answer, consequence, what_to_do

    if not _is_yes("   [y/n] "):
        return Answer(yes=False)
    say_wrapped(f"   {question.why}")
    if question.tier == "emergency":
        say_wrapped(f"\n   {what_to_do(question)}\n   Your answer is noted. The other questions are not urgent.")
        return Answer(yes=True)
    say_wrapped(f"   {consequence(question)}")
    if question.about == "places":
        return Answer(yes=True, places=_ask_places(question))
    if question.tier == "stop":
        say_wrapped(f"   {what_to_do(question)}")
        return Answer(yes=True)
    side = _ask_side() if question.about == "legs" else None
    reason = ""
    if question.tier == "clinician":
        reason = _line("   What did a doctor or physiotherapist say? (a few words; Enter if none has seen it yet) ")
        is_acknowledged = bool(reason)
    else:
        is_acknowledged = _is_yes("   Do you want to go on, gently? [y/n] ")
    if not is_acknowledged:
        say_wrapped(f"   {what_to_do(question)}")
    return Answer(yes=True, side=side, acknowledged=is_acknowledged, reason=reason)


def _ask_places(question: Question) -> tuple[str, ...]:
    from routines.regions import plain_name, regions
    from routines.screening import Answer, problem_with

    say_wrapped("   The places are:")
    for region in regions().values():
        say_wrapped(f"     {region.id} ({region.name})" if region.name != region.id else f"     {region.id}")
    while True:
        line = _line("   Which, with commas between them? (Enter: all of them) ")
        places = tuple(dict.fromkeys(plain_name(place) for place in line.split(",") if place.strip()))[:50]
        problem = problem_with(question, Answer(yes=True, places=places))
        if not problem:
            return places
        say_wrapped(f"   {problem}")


def _ask_side() -> AnsweredSide:
    sides: dict[str, AnsweredSide] = {"l": "left", "r": "right", "b": "both"}
    while True:
        line = _line("   On which side: left, right or both? [l/r/b] ").lower()
        if line in {"l", "r", "b", "left", "right", "both"}:
            return sides[line[0]]
        say_wrapped("   Please answer l, r or b.")


def _is_yes(prompt: str) -> bool:
    while True:
        line = _line(prompt).lower()
        if line in {"y", "yes", "n", "no"}:
            return line.startswith("y")
        say_wrapped("   Please answer y or n.")


def _line(prompt: str) -> str:
    """One line from the terminal, without what cannot be printed. Raises click.Abort when the terminal is closed."""
    # click's own prompt writes to stdout, which is for results.
    click.echo(wrapped(prompt.rstrip(), sys.stderr) + " ", nl=False, err=True)
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        return "?"
    if not line:
        raise click.Abort
    return "".join(character for character in line.strip() if character.isprintable())[:300]
