"""Ask the service over HTTP, as its owner: where it listens and its token are in the state folder."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from controller import errors
from controller.registry import PairedDevice, PairedIdentity
from controller.service.ownership import RunningService, find_service
from controller.service.token import read_token
from firmware_profiles.errors import PercussError, ValueRefusedError

if TYPE_CHECKING:
    import httpx

API = "/api/v1"
STARTING_S, LOOK_S = 10.0, 0.05
"""Real seconds that a service may take until it listens: it first sees what an earlier one left running."""
ANSWER_S = 10.0
FORGET_S = 15.0
"""A guardian of a dead process may have to stop the device first."""
SILENT_S = 5.0
"""Real seconds without a word after which a stream of events counts as broken; a session gives one every second."""

_ERRORS: Mapping[str, type[PercussError]] = {
    "usage": ValueRefusedError,
    "refused": errors.RefusedError,
    "not_found": errors.DeviceNotFoundError,
    "link_lost": errors.LinkLostError,
    "device_fault": errors.DeviceFaultError,
    "bad_file": errors.JournalError,
    "stop_unconfirmed": errors.StopUnconfirmedError,
}
"""What a problem's type means here; it has the same exit code."""


@dataclass(frozen=True, slots=True)
class Told:
    """One server-sent event: ``kind`` is its name, ``values`` what it says."""

    kind: str
    values: dict[str, Any]


class ServiceClient:
    """One connection to the service. Everything raises LinkLostError when it cannot be reached."""

    def __init__(self, service: RunningService, http: httpx.AsyncClient) -> None:
        self.service = service
        self._http = http

    async def ask(
        self, method: str, path: str, body: object = None, *, within_s: float | None = ANSWER_S
    ) -> dict[str, Any]:
        """The answer to one request. Raises what went wrong there as an error of its kind."""
        import httpx

        try:
            timeout = httpx.Timeout(within_s, connect=ANSWER_S)
            response = await self._http.request(method, API + path, json=body, timeout=timeout)
            answer: dict[str, Any] = response.json()
        except (httpx.TransportError, ValueError) as problem:
            raise self.lost() from problem
        if response.is_error:
            _raise(answer)
        return answer

    async def happenings(self, after_id: int) -> AsyncIterator[Told]:
        """Everything that happened behind a number, and snapshots, as it comes; it never ends by itself.

        A connection that breaks is made anew while the service lives, and goes on where it broke.
        """
        import httpx
        from httpx_sse import SSEError, aconnect_sse

        heard_s, last = time.monotonic(), str(after_id)
        while True:
            try:
                headers = {"Last-Event-ID": last}
                timeout = httpx.Timeout(SILENT_S)
                async with aconnect_sse(self._http, "GET", f"{API}/events", headers=headers, timeout=timeout) as source:
                    async for one in source.aiter_sse():
                        heard_s = time.monotonic()
                        if not one.data:  # a comment that only keeps the connection
                            continue
                        last = one.id or last
                        yield Told(one.event, one.json())
            except (httpx.TransportError, SSEError) as problem:
                if self._is_gone() or time.monotonic() - heard_s > SILENT_S:
                    raise self.lost() from problem
            if self._is_gone() or time.monotonic() - heard_s > SILENT_S:
                raise self.lost()
            await asyncio.sleep(LOOK_S)

    def lost(self) -> PercussError:
        """What to say when it cannot be reached."""
        what = f"the service (process {self.service.pid}) has ended, or does not answer."
        fix = "A motor that it drove is stopped by its guardian: look at it, and press its button if it runs."
        return errors.LinkLostError(what, where=self.service.url, fix=fix)

    def _is_gone(self) -> bool:
        found = find_service()
        return found is None or found.pid != self.service.pid


def running_service() -> RunningService | None:
    """The service that runs and listens; None when there is none. Raises RefusedError when it does not get there."""
    since_s = time.monotonic()
    while (found := find_service()) is not None and not found.url:
        if time.monotonic() - since_s > STARTING_S:
            raise errors.RefusedError(f"the service (process {found.pid}) does not listen.", fix="See its log.")
        time.sleep(LOOK_S)
    return found


@asynccontextmanager
async def connected(service: RunningService) -> AsyncIterator[ServiceClient]:
    """A connection to it for a block. Raises RefusedError without its token, or when it is another version."""
    try:
        import httpx
        import httpx_sse  # noqa: F401 - both or none
    except ModuleNotFoundError as problem:
        what = f"the service (process {service.pid}) owns the devices, and {problem.name} is missing to ask it."
        raise errors.RefusedError(what, fix="pip install 'percuss[serve]'") from problem
    token = read_token()
    if token is None:
        raise errors.RefusedError("the service's token is not there.", fix="Start the service again.")
    headers = {"Authorization": f"Bearer {token}", "User-Agent": f"percuss/{version('percuss')}"}
    # Never through a proxy: it is this computer.
    async with httpx.AsyncClient(
        base_url=_own_url(service.url), headers=headers, verify=_trust(service), trust_env=False
    ) as http:
        client = ServiceClient(service, http)
        theirs = (await client.ask("GET", "/session"))["version"]
        if theirs != version("percuss"):
            what = f"the service (process {service.pid}) is percuss {theirs}, and this is {version('percuss')}."
            raise errors.RefusedError(what, fix="Start the service again.")
        yield client


async def paired_devices(service: RunningService) -> dict[str, PairedDevice]:
    """The devices that are paired with it, by name, without their parameters."""
    async with connected(service) as client:
        lines = (await client.ask("GET", "/devices"))["devices"]
    return {
        line["name"]: PairedDevice(
            url=line["url"],
            profile=line["profile"],
            identity=PairedIdentity(**{key: line[key] for key in ("address", "serial", "firmware")}),
        )
        for line in lines
    }


async def forget_device(service: RunningService, name: str) -> None:
    """Have it forget a paired device."""
    async with connected(service) as client:
        await client.ask("DELETE", f"/devices/{quote(name, safe='')}", within_s=FORGET_S)


def _own_url(url: str) -> str:
    """Where this computer reaches what listens everywhere."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _trust(service: RunningService) -> ssl.SSLContext | bool:
    """Trust its own certificate and no other, whatever name that is for."""
    if service.tls_cert is None:
        return True
    try:
        context = ssl.create_default_context(cafile=service.tls_cert)
    except (OSError, ssl.SSLError) as problem:
        raise errors.RefusedError(f"its certificate cannot be read ({problem}).", where=service.tls_cert) from problem
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _raise(problem: Mapping[str, Any]) -> NoReturn:
    kind = _ERRORS.get(str(problem.get("type")), errors.RefusedError)
    said = {key: str(problem.get(key, "")) for key in ("detail", "where", "fix")}
    raise kind(said["detail"] or json.dumps(problem)[:200], where=said["where"], fix=said["fix"])


def raise_told(problem: Mapping[str, Any]) -> None:
    """Raise the problem that an event tells of; nothing when it tells of none."""
    if "type" in problem:
        _raise(problem)
