from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller import screening
from controller.cli.screening import verdict_lines
from routines.bounds import Bound
from routines.screening import Answer, Reason, Verdict, all_no, assess, questions
from tests.helpers.processes import HANG_S, PERCUSS, percuss

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Dialogue:
    """A person at a real terminal, who answers when asked. What is printed on stderr is kept in ``heard``."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int) -> None:
        self.process, self.keyboard, self.heard = process, keyboard, ""

    def hear(self, words: str) -> None:
        """Read on until the words are there, after what was heard before."""
        start = len(self.heard)
        assert self.process.stderr is not None
        while words not in self.heard[start:]:
            some = os.read(self.process.stderr.fileno(), 1)
            assert some, f"never said {words!r}, but:\n{self.heard[start:]}"
            self.heard += some.decode(errors="replace")

    def say(self, line: str) -> None:
        os.write(self.keyboard, f"{line}\n".encode())

    def answer_all(self, **yes: list[tuple[str, str]]) -> None:
        """Answer every question: no, or yes and then each prompt with its line."""
        for question in questions().values():
            self.hear(question.ask)
            self.hear("[y/n] ")
            self.say("y" if question.id in yes else "n")
            for prompt, line in yes.get(question.id, []):
                self.hear(prompt)
                self.say(line)

    def end(self) -> tuple[int, str]:
        """The exit code, and what was printed on stdout."""
        out, err = self.process.communicate(timeout=HANG_S)
        self.heard += err.decode()
        return self.process.returncode, out.decode()


@contextmanager
def dialogue(*arguments: str) -> Iterator[Dialogue]:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [*PERCUSS, "screening", *arguments], stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield Dialogue(process, keyboard)
        finally:
            process.kill()
            os.close(keyboard)
            os.close(terminal)


def test_a_person_answers_in_a_real_terminal(home: Path) -> None:
    with dialogue() as person:
        person.answer_all(
            long_or_worse_pain=[("What did a doctor or physiotherapist say?", "seen in May, a tired muscle")],
            broken_skin=[("Which, with commas", "the calfs"), ("Which, with commas", "calf, heel")],
            varicose_veins=[("left, right or both?", "up"), ("left, right or both?", "l"), ("go on, gently?", "y")],
        )
        code, out = person.end()
    assert code == 0, person.heard
    assert "You may go on. The massager keeps to this:" in out
    assert "calf: left alone, because there is a wound, a rash, a burn or an inflammation" in out
    assert "calf, left side: left alone, because you have varicose veins" in out
    assert "everything: held to gentle, because you have varicose veins" in out
    assert "[y/n]" not in out, "questions are talk, not results"
    assert "'the_calfs' is no place here." in person.heard
    kept = screening.load()
    assert kept is not None
    assert kept.answers["long_or_worse_pain"].reason == "seen in May, a tired muscle"
    assert kept.answers["broken_skin"].places == ("calf", "heel")
    assert kept.answers["varicose_veins"] == Answer(yes=True, side="left", acknowledged=True)
    assert stat.S_IMODE((home / "screening.json").stat().st_mode) == 0o600


def test_an_emergency_is_told_at_once_and_kept() -> None:
    with dialogue() as person:
        person.hear("[y/n] ")
        person.say("maybe")
        person.hear("Please answer y or n.")
        person.hear("[y/n] ")
        person.say("y")
        person.hear("Please get help now")
        for _ in list(questions())[1:]:
            person.hear("[y/n] ")
            person.say("no")
        code, out = person.end()
    assert code == 4
    assert out.startswith("Please get help now")
    assert percuss("screening", "--show").returncode == 4


def test_ctrl_c_keeps_nothing_and_earlier_answers_stay() -> None:
    screening.save(all_no(now_utc=LONG_AGO))
    with dialogue() as person:
        for answer in ("n", "n", ""):
            person.hear("[y/n] ")
            person.say(answer)
        person.hear("[y/n] ")
        person.process.send_signal(signal.SIGINT)
        code, out = person.end()
    assert (code, out) == (3, "")
    assert "Nothing was kept." in person.heard
    assert screening.load() == all_no(now_utc=LONG_AGO)


@pytest.mark.parametrize("is_closed", [False, True])
def test_breaking_off_after_an_emergency_leaves_no_older_answers_that_would_let_it_run(is_closed: bool) -> None:
    screening.save(all_no(now_utc=LONG_AGO))
    with dialogue() as person:
        person.hear("[y/n] ")
        person.say("y")
        person.hear("get help now")
        person.hear("[y/n] ")
        if is_closed:
            os.write(person.keyboard, b"\x04")  # Ctrl-D
        else:
            person.process.send_signal(signal.SIGINT)
        code, _ = person.end()
    assert code == 3
    assert "those are forgotten too" in person.heard
    assert screening.load() is None


def test_without_a_terminal_it_says_how_to_answer() -> None:
    done = percuss("screening")
    assert done.returncode == 2
    assert done.stdout == ""
    for option in ("--questions", "--answers FILE", "--none"):
        assert option in done.stderr


def test_no_to_everything_may_run_until_it_is_forgotten() -> None:
    none = percuss("screening", "--none")
    assert none.returncode == 0, none.stderr
    assert "Nothing you answered stands in the way." in none.stdout
    shown = percuss("screening", "--show", "--json")
    assert shown.returncode == 0
    verdict = json.loads(shown.stdout)
    assert verdict["may_run"] is True
    assert verdict["bounds"] == []
    assert set(verdict["answers"]) == set(questions())
    assert percuss("screening", "--forget").returncode == 0
    after = percuss("screening", "--show", "--json")
    assert (after.returncode, json.loads(after.stdout)) == (4, {"answered_utc": None, "may_run": False})
    assert "not answered yet" in percuss("screening", "--show").stderr
    assert "no answers to forget" in percuss("screening", "--forget").stderr


def test_old_answers_do_not_let_anything_run() -> None:
    screening.save(all_no(now_utc=LONG_AGO.replace(year=2020)))
    shown = percuss("screening", "--show")
    assert shown.returncode == 4
    assert "more than 30 days ago" in shown.stdout


def test_a_script_answers_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    given: dict[str, object] = dict.fromkeys(questions(), False)
    path.write_text(json.dumps({**given, "pregnancy": {"yes": True, "acknowledged": True}}))
    done = percuss("screening", "--answers", str(path), "--json")
    assert done.returncode == 0, done.stderr
    assert {
        "region": "calves",
        "side": None,
        "is_refused": True,
        "cap": None,
        "reason": "you are, or might be, pregnant",
    } in json.loads(done.stdout)["bounds"]
    path.write_text(json.dumps({**given, "pregnancy": True}))
    waiting = percuss("screening", "--answers", str(path), "--json")
    assert waiting.returncode == 4
    assert [reason["question"] for reason in json.loads(waiting.stdout)["unacknowledged"]] == ["pregnancy"]


def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    percuss("screening", "--none")
    before = screening.load()
    (tmp_path / "answers.toml").write_text("weak_legs = false\n")
    done = percuss("screening", "--answers", str(tmp_path / "answers.toml"))
    assert done.returncode == 8
    assert "leaves questions open" in done.stderr
    assert screening.load() == before


def test_a_broken_file_of_answers_is_told_and_can_be_forgotten(home: Path) -> None:
    (home / "screening.json").write_text("{")
    for option in ("--show", "--none"):
        done = percuss("screening", option)
        assert done.returncode == 8
        assert "--forget" in done.stderr
    assert percuss("screening", "--forget").returncode == 0
    assert percuss("screening", "--none").returncode == 0


def test_the_questions_are_printed_for_reading_and_for_scripts() -> None:
    printed = percuss("screening", "--questions")
    assert printed.returncode == 0
    for question in questions().values():
        assert question.id in printed.stdout
        assert question.ask in printed.stdout
    listed = json.loads(percuss("screening", "--questions", "--json").stdout)["questions"]
    assert [question["id"] for question in listed] == list(questions())


def test_two_wishes_at_once_are_refused() -> None:
    assert percuss("screening", "--none", "--forget").returncode == 2


def test_the_same_advice_is_given_once_with_every_reason() -> None:
    reasons = tuple(Reason(name, "stop", f"you have {name}", "Please leave it.") for name in ("one", "two"))
    verdict = Verdict(reasons, (), (Bound("x", is_refused=True),), LONG_AGO)
    assert verdict_lines(verdict)[:3] == ["Please leave it.", "  because you have one", "  because you have two"]


def test_expired_answers_are_only_asked_again() -> None:
    lines = verdict_lines(assess(all_no(now_utc=LONG_AGO), now_utc=LONG_AGO + timedelta(days=31)))
    assert lines[0] == "Please answer the questions again: it was more than 30 days ago."
