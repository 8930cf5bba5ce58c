"""The token of the service."""

from __future__ import annotations

import base64
import os

import pytest

from controller.errors import RefusedError
from controller.service.token import is_token, load_token, read_token, token_path


def test_it_is_made_once_of_32_random_bytes_for_its_owner_only() -> None:
    assert read_token() is None
    token = load_token()
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    assert token_path().stat().st_mode & 0o777 == 0o600
    assert load_token() == read_token() == token
    token_path().unlink()
    assert load_token() != token


def test_a_token_that_others_may_read_is_not_trusted() -> None:
    token = load_token()
    token_path().chmod(0o640)
    with pytest.raises(RefusedError, match="others on this computer may read"):
        load_token()
    assert token_path().read_text().strip() == token  # it is left for its owner to judge


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 50, b"\n"])
def test_what_is_no_token_opens_nothing(content: bytes) -> None:
    token_path().write_bytes(content)
    token_path().chmod(0o600)
    with pytest.raises(RefusedError, match="Remove that file"):
        load_token()


def test_where_it_cannot_be_kept_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    path = token_path().parent / "a-file"
    path.touch()
    monkeypatch.setenv("PERCUSS_HOME", os.fspath(path / "under-a-file"))
    with pytest.raises(RefusedError, match="token cannot be"):
        load_token()


@pytest.mark.parametrize("given", ["", "x", "token\ud800", "ÿ" * 43])
def test_only_the_token_is_the_token(given: str) -> None:
    token = load_token()
    assert is_token(token, token)
    assert not is_token(given, token)
    assert not is_token(token + given + "x", token)
