"""``doctor``: what is wrong here and how to mend it."""

from __future__ import annotations

import click

from controller.cli.output import print_json, print_table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Find out what is wrong here, and how to mend it.

    Looks at Bluetooth, serial ports, permissions and files; changes nothing.

    Exit code 0 when all works, 5 when something does not.
    """
    import asyncio
    from dataclasses import asdict

    from controller.cli.exits import Exit
    from controller.service.doctor import examine

    findings = asyncio.run(examine())
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        rows = [
            ("ok" if finding.works else "MEND", finding.topic, f"{finding.seen} {finding.fix}".strip())
            for finding in findings
        ]
        print_table(("", "what", "seen"), rows)
    if not all(finding.works for finding in findings):
        raise click.exceptions.Exit(Exit.NOT_FOUND)
