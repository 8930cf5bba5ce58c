"""The settings of the service: ``service.toml`` in the configuration folder, and ``PERCUSS_HTTP__PORT`` and the like.

A variable of the environment goes before the file. Everything that is wrong is told at once.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from controller.errors import SettingsError
from firmware_profiles.folders import config_folder
from firmware_profiles.tomlfile import MAX_BYTES, KeyPath, dotted, find_line, problems_of

PREFIX = "PERCUSS_"


def _is_a_host(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:%\[\]-]{1,253}", name):
        raise ValueError(f"{name!r} is no name or address of a computer.")
    return name


def _is_a_topic(topic: str) -> str:
    if not re.fullmatch(r"[^/#+\x00$][^#+\x00]*", topic) or topic.endswith("/"):
        raise ValueError(f"{topic!r} is no beginning of an MQTT topic: no #, + or $, and no slash at either end.")
    return topic


def _is_there(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {path}.")
    return path


Host = Annotated[str, AfterValidator(_is_a_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Topic = Annotated[str, Field(max_length=200), AfterValidator(_is_a_topic)]
ExistingFile = Annotated[Path, AfterValidator(_is_there)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(_Section):
    """Where HTTP listens; port 0 takes a free one. ``allowed_hosts`` are further names that browsers may use for it."""

    host: Host = "127.0.0.1"
    port: int = Field(default=8642, ge=0, le=65535)
    tls_cert: ExistingFile | None = None
    tls_key: ExistingFile | None = None
    allowed_hosts: tuple[Host, ...] = ()

    @model_validator(mode="after")
    def _has_both_files(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together.")
        return self


class MqttSettings(_Section):
    """The broker. ``tls_ca`` alone turns TLS on; with ``tls_cert`` and ``tls_key`` the service shows a certificate."""

    host: Host
    port: Port = 1883
    username: str | None = None
    password_file: ExistingFile | None = None
    tls_ca: ExistingFile | None = None
    tls_cert: ExistingFile | None = None
    tls_key: ExistingFile | None = None
    base_topic: Topic = "percuss"
    discovery_prefix: Topic = "homeassistant"

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together.")
        if self.tls_cert is not None and self.tls_ca is None:
            raise ValueError("tls_cert needs tls_ca, the authority that the broker is checked against.")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs username.")
        return self


class LogSettings(_Section):
    """How the service logs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """All of them. Without ``mqtt`` there is no MQTT."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__")

    http: HttpSettings = HttpSettings()
    mqtt: MqttSettings | None = None
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what the file says."""
        return env_settings, init_settings


def settings_path() -> Path:
    """The file of the settings; it need not exist."""
    return config_folder() / "service.toml"


def load_settings() -> Settings:
    """The settings. Raises SettingsError that lists everything that is wrong, with file, line and key, or variable."""
    path = settings_path()
    text = _read(path)
    found = _unknown_variables()
    try:
        settings = Settings(**_parse(text, path))
    except SourceError as problem:
        field = re.search(r'field "(\w+)"', str(problem))
        section = PREFIX + (field[1].upper() if field else "")
        meant = {section, f"{section}__ALLOWED_HOSTS"}  # all that is no plain value
        said = sorted(name for name, value in os.environ.items() if name.upper() in meant and not _is_json(value))
        what = "must be JSON, because it is a list or a section."
        raise SettingsError(what, where=" or ".join(said), fix="Such as: '[\"gun.example\"]'.") from problem
    except ValidationError as problem:
        found += [_told(one, text, path) for one in problems_of(problem, Settings)]
    else:
        if not found:
            return settings
    if len(found) == 1:
        where, what = found[0]
        raise SettingsError(what, where=where)
    problems = [f"{where}: {what}" for where, what in found]
    raise SettingsError(f"{len(found)} things are wrong:", where="the settings of the service", problems=problems)


def _unknown_variables() -> list[tuple[str, str]]:
    """Variables that look like settings and are none: a typing error would go unseen."""
    sections = sorted(PREFIX + name.upper() for name in Settings.model_fields)
    known = ", ".join(f"{section}__…" for section in sections)
    wrong = []
    for name in sorted(os.environ):
        section, marks, _ = name.upper().partition("__")
        is_meant = section.startswith(PREFIX) if marks else section.startswith(tuple(f"{each}_" for each in sections))
        if is_meant and section not in sections:
            wrong.append((name, f"is no setting. There are {known}."))
    return wrong


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _told(problem: tuple[str, KeyPath, str], text: str, path: Path) -> tuple[str, str]:
    """Where something is wrong, which is a line of the file or a variable, and what."""
    what, keys, fix = problem
    variable = PREFIX + "__".join(str(key) for key in keys).upper()
    meant = {variable, PREFIX + str(keys[0]).upper()} if keys else set()
    if said := sorted(name for name in os.environ if name.upper() in meant):
        where = f"{' or '.join(said)}: {dotted(keys)}" if variable not in map(str.upper, said) else " or ".join(said)
    else:
        where = f"{path}:{find_line(text, keys)}: {dotted(keys)}" if text else dotted(keys)
    return where, what + (f" {fix}" if fix else "")


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
        if len(raw) > MAX_BYTES:
            raise SettingsError(f"is larger than {MAX_BYTES} bytes.", where=str(path), fix="Is it the right file?")
        return raw.decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise SettingsError(f"cannot be read ({problem.strerror}).", where=str(path)) from problem
    except UnicodeDecodeError as problem:
        raise SettingsError("is not UTF-8 text.", where=str(path), fix="Save it as UTF-8.") from problem


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as problem:
        raise SettingsError(f"is not valid TOML: {problem}.", where=str(path)) from problem
    except (ValueError, RecursionError) as problem:  # numbers of thousands of digits, keys of thousands of parts
        raise SettingsError("has a number or a key of absurd length.", where=str(path)) from problem
