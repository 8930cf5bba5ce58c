"""Write docs/reference/screening.md from the table of questions: ``python -m tests.docs.screening``."""

from pathlib import Path

from routines.screening import CLOCK_SLACK, LASTS, consequence, question_table, what_to_do

TARGET = Path(__file__).parents[2] / "docs/reference/screening.md"

INTRODUCTION = f"""\
# The screening questions

Made from `routines/screening.toml`, where every question has its sources.

`percuss screening` asks these before the first session on a real device. The answers decide what is left alone and
what is held to gentle. They are kept on this machine only (`screening.json`, readable by you alone), and hold for
{LASTS.days} days. They are asked again sooner when the questions have changed, or when the computer's clock was moved
so that the answers lie more than {CLOCK_SLACK.days} day in the future. Answer again whenever something changes. None of
this is medical advice, and a no to everything proves nothing: when in doubt, ask somebody who knows.

| command | does |
|---|---|
| `percuss screening` | ask every question, one at a time; Ctrl-C keeps nothing |
| `percuss screening --show` | what your answers allow |
| `percuss screening --questions` | print the questions |
| `percuss screening --answers FILE` | answer from a TOML or JSON file |
| `percuss screening --none` | answer no to everything, having read the questions |
| `percuss screening --forget` | remove the answers |

`--json` makes what is printed one JSON object. The exit code is 0 when a session may run, 4 when the answers refuse it
or there are none, 8 when a file of answers cannot be used.

A file answers every question, by its name, with `true`, `false` or a table:

```toml
fever_with_back_pain = false
broken_skin = {{ yes = true, places = ["heel", "foot_arch"] }}
night_pain = {{ yes = true, acknowledged = true, reason = "seen in May, nothing to worry about" }}
varicose_veins = {{ yes = true, side = "left", acknowledged = true }}
# … and all the others
```

`acknowledged` says that you want to go on; the questions under *Have it looked at first* also need the `reason`."""


def page() -> str:
    """The whole page."""
    table = question_table()
    lines = [INTRODUCTION]
    for tier in table.tiers:
        lines += [
            "",
            f"## {tier.title}",
            "",
            f"Tier `{tier.id}`. After a yes: {tier.effect} *{tier.do}*",
            "",
            "| name | question | why | after a yes | source |",
            "|---|---|---|---|---|",
        ]
        for question in table.questions:
            if question.tier != tier.id:
                continue
            special = consequence(question) if consequence(question) != tier.effect else "as above"
            if question.do:
                special = f"{special} *{what_to_do(question)}*" if special != "as above" else f"*{question.do}*"
            cells = (f"`{question.id}`", question.ask, question.why, special, "; ".join(question.sources))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
