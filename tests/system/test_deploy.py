"""The files that start the service with the computer: what they say is so, and what they start is stopped well."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from controller.exit_codes import Exit
from controller.guardian.child import BUDGET_S, CLOSE_S
from firmware_profiles.folders import simulators_folder
from tests.helpers.certificates import self_signed
from tests.helpers.motor import is_at_rest, paired_gun, wait_for_motion
from tests.helpers.processes import HANG_S, RunningSimulator, percuss
from tests.helpers.service import LONG, Service, service

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs/deploy"
PROGRAM = Path(sys.executable).parent / "percuss"
STOP_S = 20.0
"""How long a stop may take that the device does not confirm: ten seconds, and as much again for what is around it."""


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[RunningSimulator]:
    with paired_gun(tmp_path) as device:
        yield device


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A home folder in which percuss is where pipx and uv put it."""
    folder = tmp_path / "person"
    (folder / ".local/bin").mkdir(parents=True)
    (folder / ".local/bin/percuss").symlink_to(PROGRAM)
    return folder


# ---- systemd -------------------------------------------------------------------------------------------------------


def unit() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "percuss.service", encoding="utf-8")
    return parser


def test_the_unit_starts_the_service_and_leaves_the_guardian_alone() -> None:
    told = unit()["Service"]
    program, *words = shlex.split(told["ExecStart"])
    assert program == "%h/.local/bin/percuss"
    assert words == ["serve"]
    # systemd.kill(5): by default everything that a service has started is killed with it.
    assert told["KillMode"] == "process"
    # sd_notify(3): what test_systemd_hears_that_it_is_ready_lives_and_ends hears.
    assert (told["Type"], told["NotifyAccess"]) == ("notify", "main")
    assert float(told["WatchdogSec"]) > 0
    assert float(told["TimeoutStopSec"]) > STOP_S
    assert unit()["Install"]["WantedBy"] == "default.target"


def test_systemd_itself_finds_nothing_wrong_with_the_unit(installed: Path, tmp_path: Path) -> None:
    """Where there is systemd; elsewhere the file is the same."""
    if (analyze := shutil.which("systemd-analyze")) is not None:
        environment = {**os.environ, "HOME": str(installed), "XDG_RUNTIME_DIR": str(tmp_path)}
        path = DEPLOY / "percuss.service"
        verify = [analyze, "verify", "--user", "--man=no", str(path)]
        done = subprocess.run(verify, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False)
        assert (done.returncode, "percuss.service" in done.stderr) == (0, False), done.stderr


# ---- launchd -------------------------------------------------------------------------------------------------------


def agent() -> dict[str, object]:
    told: dict[str, object] = plistlib.loads((DEPLOY / "org.percuss.plist").read_bytes())
    return told


def test_the_agent_leaves_the_guardian_alone() -> None:
    told = agent()
    assert told["Label"] == "org.percuss"
    # launchd.plist(5): else what is left of the process group is killed with the job.
    assert told["AbandonProcessGroup"] is True
    assert (told["RunAtLoad"], told["KeepAlive"]) == (True, True)
    assert isinstance(told["ExitTimeOut"], int)
    assert told["ExitTimeOut"] > STOP_S


def test_what_the_agent_starts_is_the_service_itself(home: Path, gun: RunningSimulator, installed: Path) -> None:
    """The signal of launchd goes to the process that it started: that must be percuss, not a shell around it."""
    command = agent()["ProgramArguments"]
    assert isinstance(command, list)
    bare = {"HOME": str(installed), "PATH": "/usr/bin:/bin", "PERCUSS_HTTP__PORT": "0"}
    with service(home, command=command, **bare) as running:
        running.post("session", LONG)
        wait_for_motion(gun)
        assert running.end(signal.SIGTERM) == 0
        assert is_at_rest(gun)
    # In a folder that is the person's own, where nobody else can have laid a link.
    assert "the service has ended" in (installed / "Library/Logs/percuss.log").read_text()


# ---- container -----------------------------------------------------------------------------------------------------


def steps(word: str) -> list[str]:
    """What follows one word of the Containerfile, without comments, each with the lines that it goes on over."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [line.removeprefix(f"{word} ") for line in lines.splitlines() if line.startswith(f"{word} ")]


def test_what_the_container_starts_is_in_it() -> None:
    assert "docs/deploy/container.sh /percuss/" in steps("COPY")
    [said] = steps("ENTRYPOINT")
    assert json.loads(said) == ["sh", "/percuss/container.sh"]


def test_the_container_installs_what_there_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = re.search(r"/src\[([a-z,]+)\]", " ".join(steps("RUN")))
    assert found is not None
    extras = set(found[1].split(","))
    assert extras <= set(project["optional-dependencies"])
    assert extras >= {"serve", "mqtt"}
    images = [image.split()[0] for image in steps("FROM")]
    assert len(set(images)) == 1, "what is built in one runs in the other"
    assert images[0] == "docker.io/library/python:3.13-slim"
    assert "Programming Language :: Python :: 3.13" in project["classifiers"]
    assert steps("USER") == ["percuss"]


def in_container() -> dict[str, str]:
    """The environment of the Containerfile, with this computer's percuss, home and a free port."""
    [said] = steps("ENV")
    told = dict(word.split("=", 1) for word in said.split())
    assert set(told) == {"PATH", "PERCUSS_HOME", "PERCUSS_HTTP__HOST", "PERCUSS_LOG__FORMAT"}
    told["PATH"] = f"{PROGRAM.parent}:/usr/bin:/bin"
    return {**told, "PERCUSS_HOME": os.environ["PERCUSS_HOME"], "PERCUSS_HTTP__PORT": "0"}


def reachable(url: str) -> str:
    return url.replace("0.0.0.0", "127.0.0.1")


NAMESPACE = ["unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""What a container is to its processes: it ends with the first one, and the system kills the others."""


@cache
def can_contain() -> bool:
    """Whether this system lets a person have a namespace; elsewhere the same runs without one, and proves less."""
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def start_of_container() -> list[str]:
    return [*(NAMESPACE if can_contain() else []), "sh", str(DEPLOY / "container.sh")]


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@dataclass(frozen=True, slots=True)
class Container:
    """The service in a container. ``first`` and ``percuss`` are its processes as they are seen from outside."""

    service: Service
    first: int
    percuss: int

    def stay_until_at_rest(self, device: RunningSimulator) -> None:
        """Wait until the motor is at rest. Until then the container must be there, or nobody is left to stop it."""
        while not is_at_rest(device):
            assert self.service.process.poll() is None, "it has taken the guardian with it"
            time.sleep(0.01)

    def end(self) -> int:
        """Wait for its end; what it ends with."""
        return self.service.process.wait(HANG_S)


@pytest.fixture
def container(home: Path, gun: RunningSimulator) -> Iterator[Container]:
    """A container whose service drives the gun."""
    # Nobody in there sees the simulator's process. So that it is known for one it is the first, which is always there.
    [said] = simulators_folder().glob("*.json")
    (simulators_folder() / "1.json").write_text(json.dumps({**json.loads(said.read_text()), "pid": 1}))
    with service(home, command=start_of_container(), **in_container()) as running:
        running.client.base_url = reachable(running.url)
        running.post("session", LONG)
        wait_for_motion(gun)
        [first] = children(running.process.pid) if can_contain() else [running.process.pid]
        [percuss_itself] = children(first)
        yield Container(running, first, percuss_itself)


def test_a_container_that_is_stopped_stops_the_motor_first(container: Container, gun: RunningSimulator) -> None:
    assert steps("STOPSIGNAL") == ["SIGTERM"]
    os.kill(container.first, signal.SIGTERM)
    assert container.end() == 0
    assert is_at_rest(gun)


def test_a_container_outlives_its_service_until_the_guardian_has_stopped_the_motor(
    container: Container, gun: RunningSimulator
) -> None:
    os.kill(container.percuss, signal.SIGKILL)
    container.stay_until_at_rest(gun)
    assert container.end() == 128 + signal.SIGKILL
    assert any("stopped gun; it confirmed that" in line for line in container.service.talk)


def test_a_container_that_could_not_stop_the_motor_stays_until_its_guardian_has(
    container: Container, gun: RunningSimulator
) -> None:
    gun.control(do="inject", fault="refuse")
    os.kill(container.first, signal.SIGTERM)
    while container.percuss in children(container.first):
        time.sleep(0.01)
    assert not is_at_rest(gun)
    gun.control(do="inject", fault="clear")
    container.stay_until_at_rest(gun)
    assert container.end() == Exit.STOP_UNCONFIRMED
    assert any("stopped gun; it confirmed that" in line for line in container.service.talk)


def stand_in(folder: Path, script: str) -> dict[str, str]:
    """An environment in which percuss is a script."""
    (folder / "percuss").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "percuss").chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize("code", [0, 1, 9])
def test_however_the_service_ends_its_container_stays_until_no_guardian_is_left(tmp_path: Path, code: int) -> None:
    armed, stopped = tmp_path / "armed", tmp_path / "stopped"
    guardian = f"sh -c 'echo > {armed}; sleep 2; echo > {stopped}' -m controller.guardian"
    environment = stand_in(tmp_path, f"{guardian} & until [ -e {armed} ]; do :; done; exit {code}")
    done = subprocess.run(start_of_container(), env=environment, timeout=HANG_S, check=False)
    assert (done.returncode, stopped.exists()) == (code, True)


def seconds(pattern: str, file: str) -> float:
    found = re.search(pattern, (DEPLOY / file).read_text(encoding="utf-8"))
    assert found is not None
    return float(found[1])


def test_a_container_is_given_the_time_that_a_guardian_may_take() -> None:
    guardian_s = BUDGET_S + CLOSE_S
    assert seconds(r"left_s=(\d+)", "container.sh") > guardian_s
    assert seconds(r"podman run .*--stop-timeout (\d+) ", "Containerfile") > STOP_S + guardian_s


def test_a_container_that_has_no_guardian_ends_with_its_service(tmp_path: Path) -> None:
    """Where a container can be had; elsewhere it waits for the guardians of other tests, too."""
    environment = stand_in(tmp_path, "exit 0")
    far_less_s = seconds(r"left_s=(\d+)", "container.sh") / 2
    patience_s = far_less_s if can_contain() else HANG_S
    assert subprocess.run(start_of_container(), env=environment, timeout=patience_s, check=False).returncode == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_health_check_of_the_container_knows_whether_the_service_lives(
    home: Path, tmp_path: Path, scheme: str
) -> None:
    [said] = steps("HEALTHCHECK")
    command: list[str] = json.loads(said[said.index("CMD ") + len("CMD ") :])
    assert "127.0.0.1:8642" in command[-1]
    assert steps("EXPOSE") == ["8642"]
    environment = in_container()
    if scheme == "https":
        cert, key = self_signed(tmp_path)
        environment |= {"PERCUSS_HTTP__TLS_CERT": str(cert), "PERCUSS_HTTP__TLS_KEY": str(key)}
    with service(home, **environment) as running:
        assert running.url.startswith(f"{scheme}:")
        check = [*command[:-1], command[-1].replace("8642", running.url.rsplit(":", 1)[1])]

        def is_healthy() -> bool:
            done = subprocess.run(check, env=environment, timeout=HANG_S, check=False, capture_output=True)
            return done.returncode == 0

        assert is_healthy()
        running.process.send_signal(signal.SIGSTOP)
        while is_healthy():
            pass
        running.process.send_signal(signal.SIGCONT)
        while not is_healthy():
            pass
        assert running.end(signal.SIGTERM) == 0
        assert not is_healthy()


# ---- without the packages ------------------------------------------------------------------------------------------

MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize(
    "missing",
    [
        {"fastapi", "uvicorn", "sse_starlette", "prometheus_client", "pydantic_settings", "segno"},
        {"fastapi"},
        {"pydantic_settings"},
        {"aiomqtt"},
    ],
    ids=["all of it", "fastapi", "settings", "mqtt"],
)
def test_without_what_it_needs_the_service_says_what_to_install(home: Path, tmp_path: Path, missing: set[str]) -> None:
    (home / "service.toml").write_text('[mqtt]\nhost = "127.0.0.1"\n')
    (tmp_path / "sitecustomize.py").write_text(MISSING.format(names=missing))
    refused = percuss("serve", "--port", "0", PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2, refused.stderr
    said = re.search(r"the service needs more \((\w+)\): pip install 'percuss\[serve,mqtt\]'", refused.stderr)
    assert said is not None, refused.stderr
    assert said[1] in missing
    assert "Traceback" not in refused.stderr
    assert percuss("devices", PYTHONPATH=str(tmp_path)).returncode == 0, "everything else is as it was"


def test_without_mqtt_in_its_settings_the_service_needs_none(home: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(MISSING.format(names={"aiomqtt"}))
    with service(home, PYTHONPATH=str(tmp_path)) as running:
        assert running.client.get("/api/v1/health").status_code == 200
