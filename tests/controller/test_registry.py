import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import DeviceNotFoundError, RegistryError
from controller.registry import PairedDevice, PairedIdentity, Registry

GUN = PairedDevice(
    url="ble://AA:BB:CC:DD:EE:FF",
    profile="theragun-gen4",
    identity=PairedIdentity(address="AA:BB:CC:DD:EE:FF", serial=None, firmware="2.1.6"),
)


def test_a_device_is_found_again(tmp_path: Path) -> None:
    Registry(tmp_path / "new" / "devices.json").add("gun", GUN)
    assert Registry(tmp_path / "new" / "devices.json").find("gun") == GUN


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "devices.json")
    registry.add("gun", GUN)
    assert stat.S_IMODE(registry.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["devices.json"], "nothing temporary is left"


def test_forgetting_leaves_the_others(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "devices.json")
    registry.add("gun", GUN)
    registry.add("pad", GUN)
    registry.forget("gun")
    assert list(registry.devices()) == ["pad"]


def test_an_unknown_name_suggests_the_near_one(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "devices.json")
    registry.add("theragun", GUN)
    with pytest.raises(DeviceNotFoundError, match="Did you mean 'theragun'"):
        registry.find("theragnu")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"schema": 1, "devi', 1),  # half written
        ("", 1),
        ('{"schema": 1,\n "devices": {"gun": {"url": 3}}}', None),
        ('{"schema": 2, "devices": {}}', None),
        ('{"schema": 1, "devices": {}, "more": 1}', None),
    ],
)
def test_a_broken_file_is_told_and_never_overwritten(tmp_path: Path, content: str, line: int | None) -> None:
    path = tmp_path / "devices.json"
    path.write_text(content, encoding="utf-8")
    registry = Registry(path)
    for attempt in (registry.devices, lambda: registry.add("gun", GUN), lambda: registry.forget("gun")):
        with pytest.raises(RegistryError, match="move it away") as caught:
            attempt()
        assert caught.value.line == line
    assert path.read_text(encoding="utf-8") == content


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "devices.json").mkdir()
    with pytest.raises(RegistryError, match="cannot be read"):
        Registry(tmp_path / "devices.json").devices()


def test_a_folder_that_cannot_be_written_is_told_and_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RegistryError, match=r"cannot be written|cannot be read"):
        Registry(tmp_path / "file" / "devices.json").add("gun", GUN)


@given(st.text(max_size=50).filter(lambda name: not name.isascii() or not name.isalnum()))
def test_a_strange_name_is_refused_or_kept_whole(name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder) / "devices.json")
        try:
            registry.add(name, GUN)
        except RegistryError:
            assert registry.devices() == {}
        else:
            assert list(registry.devices()) == [name]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "devices.json")
    registry.add("gun", GUN)
    failures: list[Exception] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            try:
                registry.find("gun")
            except Exception as problem:  # noqa: BLE001 - any failure is the test
                failures.append(problem)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(50):
        registry.add(f"other-{number}", GUN)
    is_done.set()
    reader.join()
    assert failures == []


def test_two_that_pair_at_once_both_keep_their_devices(tmp_path: Path) -> None:
    def add(prefix: str) -> None:
        for number in range(30):
            Registry(tmp_path / "devices.json").add(f"{prefix}-{number}", GUN)

    pairing = [threading.Thread(target=add, args=(prefix,)) for prefix in ("one", "two")]
    for thread in pairing:
        thread.start()
    for thread in pairing:
        thread.join()
    assert len(Registry(tmp_path / "devices.json").devices()) == 60
