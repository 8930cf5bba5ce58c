"""The token that opens the doors of the service: made at the first start, and kept for its owner only."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from controller.errors import RefusedError
from controller.private_files import write_private
from firmware_profiles.folders import state_folder

TOKEN_BYTES = 32


def token_path() -> Path:
    """The file that holds it."""
    return state_folder() / "service-token"


def load_token() -> str:
    """The token; it is made when there is none. Raises RefusedError when it cannot be kept to its owner.

    A token that is too short to be one, or that others may read, is refused rather than trusted.
    """
    path = token_path()
    token = read_token()
    if token is None:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        try:
            write_private(path, token)
        except OSError as problem:
            what = f"the token cannot be written ({problem.strerror})."
            raise RefusedError(what, where=str(path), fix="Make room there, or mend its permissions.") from problem
    return token


def read_token() -> str | None:
    """The token; None where there is none yet. Raises RefusedError as `load_token` does."""
    path = token_path()
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise _useless(f"the token cannot be read ({problem}).") from problem
    if os.name != "nt" and mode & 0o077:
        raise _useless("others on this computer may read the token.")
    if len(token) < TOKEN_BYTES:
        raise _useless("is no token of the service.")
    return token


def _useless(what: str) -> RefusedError:
    fix = "Remove that file: the next start of the service makes another."
    return RefusedError(what, where=str(token_path()), fix=fix)


def is_token(given: str, token: str) -> bool:
    """Whether it is the token; how long that takes says nothing about how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())
