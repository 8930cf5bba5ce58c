"""A message bus that belongs to one test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_dbus_daemon = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="needs dbus-daemon: apt-get install dbus"
)

# Everybody who gets in may own every name, org.bluez among them; nothing is started on demand.
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def private_bus() -> Iterator[str]:
    """Run a dbus-daemon for the block; gives its address."""
    # Not under pytest's folders: the path of a socket must fit into 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bus-") as folder, bus_in(Path(folder)) as address:
        yield address


@contextmanager
def bus_in(folder: Path) -> Iterator[str]:
    """Run a dbus-daemon whose socket is in a folder: a second one there has the same address."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=folder / "bus"), encoding="utf-8")
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        assert address, "dbus-daemon did not start"
        try:
            yield address.split(",guid=")[0]
        finally:
            daemon.terminate()
