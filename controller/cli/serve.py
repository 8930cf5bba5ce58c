"""``serve``: the service that owns the devices."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from controller.cli.output import say

if TYPE_CHECKING:
    from controller.service.settings import HttpSettings


@click.command()
@click.option("--host", help="Listen at this address; 0.0.0.0 lets the phone in. Default: this computer only.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 8642; 0 takes a free one.")
@click.option("--show", is_flag=True, help="Show the address of the page of the service that runs, for the phone.")
def serve(host: str | None, port: int | None, show: bool) -> None:
    """Run the service: it owns the devices, and offers them to a web page, HTTP and MQTT.

    Its settings are in service.toml in the configuration folder. Ctrl-C stops the motor, then the service.
    """
    import asyncio

    if show:
        _show()
        return

    if sys.platform == "win32":
        raise click.UsageError("the service needs Linux or macOS; without it there are percuss run, set and stop")
    try:
        from controller import daemon
        from controller.service.settings import load_settings

        settings = load_settings()
        if settings.mqtt is not None:
            import controller.mqtt  # noqa: F401 - what is missing is said here, and not when it runs
    except ModuleNotFoundError as problem:
        raise click.UsageError(
            f"the service needs more ({problem.name}): pip install 'percuss[serve,mqtt]'"
        ) from problem
    from controller.service.logs import start_logging

    settings = settings.model_copy(update={"http": _with_address(settings.http, host, port)})
    start_logging(settings.log)

    def announce(url: str, token: str) -> None:
        _announce(url, token, daemon.phone_url(url, settings.http))

    asyncio.run(daemon.serve(settings, announce=announce))


def _show() -> None:
    from controller.cli.through_service.client import running_service
    from controller.errors import DeviceNotFoundError
    from controller.service.token import load_token

    service = running_service()
    if service is None:
        raise DeviceNotFoundError("no service is running.", fix="Start it: percuss serve")
    _announce(service.url, load_token(), service.phone_url)


def _with_address(settings: HttpSettings, host: str | None, port: int | None) -> HttpSettings:
    from pydantic import ValidationError

    said = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    try:
        return type(settings).model_validate({**settings.model_dump(), **said})
    except ValidationError as problem:
        raise click.BadParameter(f"{host!r} is no address of a computer.", param_hint="--host") from problem


def _announce(url: str, token: str, phone_url: str | None) -> None:
    """Say where it is. The token is shown to a person only, never to a pipe or a log."""
    from controller.service.token import token_path

    if not sys.stdout.isatty():
        click.echo(f"percuss serves {url}; its token is in {token_path()}")
        sys.stdout.flush()
        return
    # Behind #, so that no server and no log ever sees it.
    click.echo(f"The page: {phone_url or url}/#token={token}")
    if phone_url is None:
        say("Only this computer reaches it. For a phone: percuss serve --host 0.0.0.0")
        return
    import segno

    segno.make(f"{phone_url}/#token={token}").terminal(compact=True)
