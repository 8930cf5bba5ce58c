"""Settings of the service: from a file and the environment, and everything that is wrong at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.exit_codes import Exit, exit_of_error
from controller.service.settings import load_settings, settings_path


def write(text: str) -> None:
    settings_path().write_text(text, encoding="utf-8")


def test_without_a_file_it_is_loopback_without_mqtt() -> None:
    settings = load_settings()
    assert (settings.http.host, settings.http.port, settings.mqtt) == ("127.0.0.1", 8642, None)
    assert (settings.log.level, settings.log.format) == ("info", "text")


def test_the_file_says_what_holds_and_the_environment_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    write(
        '[http]\nport = 9000\nallowed_hosts = ["gun.local"]\n'
        f'[mqtt]\nhost = "broker"\nusername = "percuss"\npassword_file = "{password}"\n[log]\nformat = "json"\n'
    )
    monkeypatch.setenv("PERCUSS_HTTP__PORT", "9001")
    monkeypatch.setenv("PERCUSS_MQTT__PORT", "8883")
    settings = load_settings()
    assert (settings.http.port, settings.http.allowed_hosts) == (9001, ("gun.local",))
    assert settings.mqtt is not None
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.password_file) == ("broker", 8883, password)
    assert (settings.mqtt.base_topic, settings.mqtt.discovery_prefix) == ("percuss", "homeassistant")
    assert settings.log.format == "json"


def test_the_environment_alone_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCUSS_HTTP__HOST", "0.0.0.0")
    monkeypatch.setenv("PERCUSS_HTTP__ALLOWED_HOSTS", '["a.example", "b.example"]')
    monkeypatch.setenv("PERCUSS_MQTT__HOST", "broker")
    monkeypatch.setenv("PERCUSS_JOURNAL", "sqlite:///elsewhere")  # not a setting of the service
    settings = load_settings()
    assert (settings.http.host, settings.http.allowed_hosts) == ("0.0.0.0", ("a.example", "b.example"))
    assert settings.mqtt is not None


def test_everything_that_is_wrong_is_told_at_once_with_line_key_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[http]\nprt = 8\nport = 99999\ntls_cert = "/no/such"\n[mqtt]\nbase_topic = "a/#"\n[log]\nlevel = "loud"\n')
    monkeypatch.setenv("PERCUSS_LOG__FORMAT", "xml")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert lines[0] == "the settings of the service: 7 things are wrong:"
    told = "\n".join(lines[1:])
    for piece in (
        f"{settings_path()}:2: http.prt: is not a key here. Did you mean 'port'?",
        f"{settings_path()}:3: http.port:",
        f"{settings_path()}:4: http.tls_cert: there is no file /no/such.",
        "mqtt.host: is missing.",
        f"{settings_path()}:6: mqtt.base_topic:",
        f"{settings_path()}:8: log.level:",
        "PERCUSS_LOG__FORMAT:",
    ):
        assert piece in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[http", "is not valid TOML"),
        ("[http]\nport = 1" + "0" * 5000, "absurd length"),
        ("[http]\nport = 8642.5", "http.port"),
        ('[http]\nhost = "a b"', "is no name or address"),
        ('[http]\ntls_key = "{key}"', "tls_cert and tls_key belong together"),
        ('[mqtt]\nhost = "b"\nport = 0', "mqtt.port"),
        ('[mqtt]\nhost = "b"\npassword_file = "{key}"', "password_file needs username"),
        ('[mqtt]\nhost = "b"\ntls_cert = "{key}"\ntls_key = "{key}"', "tls_cert needs tls_ca"),
        ('[mqtt]\nhost = "b"\nbase_topic = "$SYS"', "no beginning of an MQTT topic"),
        ('[mqtt]\nhost = "b"\nbase_topic = "/"', "no beginning of an MQTT topic"),
        ("[door]\nopen = true", "door: is not a key here"),
        ("http = 3", "http"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, says: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    write(text.replace("{key}", str(key)))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert str(settings_path()) in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PERCUSS_HTTP__PRT", "1"),
        ("PERCUSS_HTPP__PORT", "1"),
        ("PERCUSS_HTTP_PORT", "1"),
        ("percuss_http__port", "many"),
        ("percuss_http__allowed_hosts", "gun.local"),
        ("PERCUSS_MQTT", '{"host": "b", "prt": 1}'),
        ("PERCUSS_HTTP__PORT", "many"),
        ("PERCUSS_HTTP", "{"),
        ("PERCUSS_HTTP__ALLOWED_HOSTS", "gun.local"),
    ],
)
def test_a_variable_that_makes_no_sense_is_refused(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCUSS_HTTP__HOST", "127.0.0.1")  # which is right, and not to blame
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{variable}: ")
    assert "PERCUSS_HTTP__HOST" not in str(caught.value)
    assert exit_of_error(caught.value) == Exit.BAD_FILE
    assert str(settings_path()) not in str(caught.value), "the file is not to blame"


def test_a_file_that_cannot_be_read_is_told() -> None:
    settings_path().mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()
    settings_path().rmdir()
    settings_path().write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings()
