"""What every test has: a home of its own, no network, and the real data where it is there."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitrepo import GitRepo, git
from hypothesis import configuration, settings

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared"

settings.register_profile("kminer", deadline=None, derandomize=True, database=None)
settings.load_profile("kminer")
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "kminer-hypothesis")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own; git reads no configuration from outside it and speaks only to files."""
    folder = tmp_path / "home"
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        place = folder if name == "HOME" else folder / name.lower()
        place.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(name, str(place))
    for name in [name for name in os.environ if name.startswith(("GIT_", "KMINER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections go to this machine or fail."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise RuntimeError(f"a test tried to reach the network: {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """An empty bare repository to build a history in."""
    return GitRepo(tmp_path / "repo.git")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a test's database will be."""
    return tmp_path / "kminer.db"


@pytest.fixture
def kminer(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own, in the test's home folder: kminer("sync", "demo")."""

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kminer", *map(str, arguments)]
        usual: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 300, "check": False, "cwd": home}
        return subprocess.run(command, **(usual | options))

    return run


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data; the test is skipped where it is absent."""
    if not (SHARED / "README.md").exists():
        pytest.skip("needs the real data in ../shared")
    return SHARED


@pytest.fixture(scope="session")
def linux26(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare clone of Linux to 2.6.36-rc3, without commit-graph."""
    return _cloned(shared / "real" / "linux26.bundle", tmp_path_factory)


@pytest.fixture(scope="session")
def moby(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare clone of moby to August 2026, without commit-graph."""
    return _cloned(shared / "real" / "moby.bundle", tmp_path_factory)


def _cloned(bundle: Path, folders: pytest.TempPathFactory) -> Path:
    target = folders.mktemp(bundle.stem) / f"{bundle.stem}.git"
    git("clone", "--quiet", "--bare", str(bundle), str(target))
    return target
