"""The lock on the HTTP door: whose name a browser used, where a page comes from, the token, and how much is sent."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.http.problems import respond
from controller.http.refusals import Connection, Refusals
from controller.service.token import is_token

logger = logging.getLogger("percuss.http")

BODY_MAX = 64 * 1024
BODY_S = 10.0
"""Real seconds in which a body must have come whole."""
WRONG_TOKENS, WRONG_TOKENS_S = 10, 60.0
"""So many wrong tokens in so many seconds, from all together; then wrong ones get no word on why."""

REQUESTS_PER_S, REQUESTS_AT_ONCE = 30.0, 300
"""What is answered: so much for all who have the token, as much again of what starts or steers a session, and so much
for each address without it. What stops is always answered.
"""
ADDRESSES = 1000
"""Of so many addresses it is known how much they asked; whoever is forgotten begins anew."""
WAIT_S = 1.0
"""Real seconds that somebody who asks too much is told to wait."""

API = "/api/"
STEERING = ("/api/v1/session", "/api/v1/emergency-stop", "/api/v1/devices/")
STOPPING = ("/api/v1/session/stop", "/api/v1/session/nerve-sign", "/api/v1/emergency-stop")
RESTING = ("/api/v1/session/pause", "/api/v1/session/pain")
"""They let the motor rest, or may: nobody is told to wait for that either."""
RENEWING = "/api/v1/session/renew"
"""Twice a second while a terminal drives: nothing for a log."""
OPEN_PATHS = frozenset({"/api/v1/health"})
"""Without a token there is this, and the files of the page, which say nothing about anybody."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Allowance:
    """How much may be asked: so much at once, and it grows back (a token bucket)."""

    def __init__(self) -> None:
        self._left = float(REQUESTS_AT_ONCE)
        self._seen_s = time.monotonic()

    def take(self) -> bool:
        """Whether one more may be asked."""
        now_s = time.monotonic()
        self._left = min(REQUESTS_AT_ONCE, self._left + (now_s - self._seen_s) * REQUESTS_PER_S)
        self._seen_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Lock:
    """ASGI middleware; it is the first to see a request and the last to see a response.

    The right token always opens, however many wrong ones came before: nobody may lock a person out of Stop.
    """

    def __init__(
        self, app: ASGIApp, *, token: str, allowed_hosts: Collection[str], refusals: Refusals, trusted: set[Connection]
    ) -> None:
        self._app = app
        self._token = token
        self._hosts = {host.casefold() for host in allowed_hosts}
        self._refusals = refusals
        self._trusted = trusted
        self._wrong_s: deque[float] = deque(maxlen=WRONG_TOKENS)
        self._asking, self._steering = Allowance(), Allowance()
        self._strangers: OrderedDict[str, Allowance] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        if scope["path"].startswith(API):
            # A redirect is an errand for whoever asks, and a stop must not wait for one.
            scope["path"] = scope["path"].rstrip("/")
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if message["status"] == HTTPStatus.NOT_FOUND and not scope["path"].startswith(API):
                    self._refusals.note("no such file", _client(scope), _request(scope), level=logging.INFO)
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            body = b""
            answer = self._refusal(scope)
            if answer is None:
                answer, body = await self._read_body(scope, receive)
            if answer is not None:
                await answer(scope, receive, guarded_send)
                return
            if scope["method"] not in READING and scope["path"] != RENEWING:
                logger.info("%s from %s", _request(scope), _client(scope))
            await self._app(scope, _replay(body, receive), guarded_send)
        except Exception:
            logger.exception("this should not have happened: %s", _request(scope))
            if not started:
                detail = "percuss itself failed; its log says where."
                await respond(500, detail, kind="internal", fix="Report what the log says.")(
                    scope, receive, guarded_send
                )

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that does not come in; None for one that may."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_own_name(host):
            self._refusals.note("another Host", _client(scope), _request(scope))
            detail = "This is not a name of the service."
            return respond(421, detail, where="Host", fix="Use its address, or list the name in http.allowed_hosts.")
        origin = headers.get("origin")
        is_changing = scope["method"] not in READING
        if is_changing and origin is not None and not _is_same(origin, host):
            self._refusals.note("another Origin", _client(scope), _request(scope))
            return respond(403, "Another site may not ask for this.", where="Origin")
        if scope["path"] in OPEN_PATHS or not scope["path"].startswith(API):
            return None if self._allowance(scope).take() else self._too_many(scope)
        given = _bearer(headers)
        if given is not None and is_token(given, self._token):
            scope["percuss.by"] = _by(headers, scope)
            if scope.get("client"):
                self._trusted.add(tuple(scope["client"]))
            is_steering = is_changing and scope["path"].startswith(STEERING)
            allowance = self._steering if is_steering else self._asking
            is_resting = scope["path"] in RESTING
            return None if _is_stop(scope) or is_resting or allowance.take() else self._too_many(scope)
        self._refusals.note("no token" if given is None else "a wrong token", _client(scope), _request(scope))
        if given is not None and self._is_guessing():
            return respond(429, "Too many wrong tokens.", Retry_After=f"{WRONG_TOKENS_S:.0f}", Connection="close")
        fix = "Send it as `Authorization: Bearer …`; it is in the file service-token of the state folder."
        return respond(401, "The token is missing or wrong.", fix=fix, WWW_Authenticate="Bearer")

    def _too_many(self, scope: Scope) -> Response:
        self._refusals.note("too many requests", _client(scope), _request(scope))
        what = f"More than {REQUESTS_PER_S:.0f} requests a second."
        return respond(429, what, fix="Ask again.", Retry_After=f"{WAIT_S:.0f}")

    def _allowance(self, scope: Scope) -> Allowance:
        """Of one address alone, so that nobody uses up what another one may ask."""
        address = _client(scope)
        found = self._strangers.setdefault(address, Allowance())
        self._strangers.move_to_end(address)
        if len(self._strangers) > ADDRESSES:
            self._strangers.popitem(last=False)
        return found

    def _is_guessing(self) -> bool:
        now_s = time.monotonic()
        is_full = len(self._wrong_s) == WRONG_TOKENS and now_s - self._wrong_s[0] < WRONG_TOKENS_S
        if not is_full:
            self._wrong_s.append(now_s)
        return is_full

    def _is_own_name(self, host: str) -> bool:
        """Whether a Host header names this service. A name that somebody else pointed here is none of its own."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name.casefold() in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        # It is nothing that could be pointed here. Behind a container or a router it is none of this computer's.
        return True

    async def _read_body(self, scope: Scope, receive: Receive) -> tuple[Response | None, bytes]:
        """All of the body, which is small and comes soon, or the answer to one that is or does not."""
        headers = Headers(scope=scope)
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return None, b""
        body = b""
        try:
            is_too_long = int(headers.get("content-length", "0")) > BODY_MAX
            async with asyncio.timeout(BODY_S):
                while not is_too_long:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return self._half_a_body(scope), body
                    body += message.get("body", b"")
                    is_too_long = len(body) > BODY_MAX
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            self._refusals.note("a body too slow", _client(scope), _request(scope))
            return respond(408, f"The body did not come within {BODY_S:.0f} s.", Connection="close"), b""
        if is_too_long:
            self._refusals.note("a body too large", _client(scope), _request(scope))
            return respond(413, f"A body has at most {BODY_MAX} bytes.", Connection="close"), b""
        return None, body

    def _half_a_body(self, scope: Scope) -> Response | None:
        """The answer to somebody who left before he had said it all; None where it is acted on all the same."""
        if _is_stop(scope):
            return None  # when in doubt, stop
        self._refusals.note("half a body", _client(scope), _request(scope))
        return respond(400, "The body ended before it was whole.", Connection="close")


def _is_stop(scope: Scope) -> bool:
    path = scope["path"]
    is_of_device = path.startswith("/api/v1/devices/") and path.endswith("/stop")
    return scope["method"] == "POST" and (path in STOPPING or is_of_device)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then what comes after it."""
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _is_same(origin: str, host: str) -> bool:
    scheme, _, rest = origin.partition("://")
    return scheme in {"http", "https"} and rest.casefold() == host.casefold()


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else None


def _by(headers: Headers, scope: Scope) -> str:
    """Who asks, for those who ask next."""
    agent = headers.get("user-agent", "")
    if agent.startswith("percuss/"):
        return "the command line"
    return f"the web page at {_client(scope)}" if agent.startswith("Mozilla/") else f"HTTP at {_client(scope)}"


def _client(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else "an unknown place"


def _request(scope: Scope) -> str:
    """The method and the path, as they came: escaped, and without the query, which may hold a token."""
    path = scope.get("raw_path") or scope["path"].encode("ascii", "backslashreplace")
    return f"{scope['method'][:20]} {path.decode('ascii', 'backslashreplace')[:200]}"
