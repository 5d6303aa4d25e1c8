"""What is installed: the wheel alone in a clean environment, and the checkout, both from another folder."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
NO_INDEX = (
    "No matching distribution",
    "Could not find a version",
    "Connection",
    "Temporary failure",
    "Max retries",
    "network",
)


def run_or_skip(*words: str | Path) -> None:
    """Run a step that needs a package index; skip where there is none."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if done.returncode and any(sign in done.stdout + done.stderr for sign in NO_INDEX):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of the checkout."""
    if importlib.util.find_spec("build") is None:
        pytest.skip("python -m build is not installed")
    folder = tmp_path_factory.mktemp("dist")
    run_or_skip(sys.executable, "-m", "build", "--wheel", "--outdir", folder, CHECKOUT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kminer command of an environment that holds the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True)
    run_or_skip(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return folder / "bin" / "kminer"


@pytest.mark.slow
def test_the_wheel_holds_all_that_is_shipped(wheel: Path) -> None:
    """Every file of data/, queries/ and reports/ travels inside, and nothing that a report wrote, nor tests."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = set(_shipped())
    assert len(expected) > 100
    assert expected <= inside
    strangers = {name for name in inside if name.startswith("kminer/shipped/")} - expected
    assert not strangers
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/", "kminer/shipped/reports/out/"))]
    assert any(name.endswith("/licenses/LICENSE") for name in inside)


def _shipped() -> Iterator[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "data", "queries", "reports"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    yield from (f"kminer/shipped/{name}" for name in listed if (CHECKOUT / name).exists())


SETTINGS = {"upgrade": ["--set", "from=v5.4", "--set", "to=v5.8"], "release": ["--set", "release=v5.8"],
            "host": ["--set", "host=here"], "mechanism": ["--set", "mechanism=cg.memory"]}  # fmt: skip
"""What reports must be given."""


def use(kminer: list[str], folder: Path) -> None:
    """Run the demo, every query without parameters to give, and every report, from `folder`; all must be well."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*kminer, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    assert "linux-demo" in run("check") + run("sync", "demo")
    database = str(Path(os.environ["XDG_DATA_HOME"]) / "kminer" / "demo.db")
    listed = {file.stem for file in (CHECKOUT / "queries").glob("*.sql")}
    shown = run("query")
    assert all(name in shown for name in listed if not name.startswith("report-"))
    assert "v5.8" in run("--db", database, "releases", "linux-demo")
    assert "cgroup" in run("--db", database, "search", "cgroup")
    assert len(run("--db", database, "query", "releases", "--format", "csv").splitlines()) >= 1
    run("--db", database, "probe", "--save", "here")
    for report in (CHECKOUT / "reports").glob("*.md.j2"):
        name = report.name.removesuffix(".md.j2")
        settings = SETTINGS.get(name, [])
        written = Path(folder, run("--db", database, "report", name, *settings, "--out", str(folder / "out")).strip())
        assert written.stat().st_size > 500
        assert "demo" in written.read_text().lower()


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demo(installed: Path, tmp_path: Path) -> None:
    """In a clean environment, away from the checkout, the wheel syncs the demo, answers and reports."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = subprocess.run(
        [str(installed.with_name("python")), "-c", "import kminer; print(kminer.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=elsewhere,
    ).stdout
    assert str(installed.parents[1]) in place
    use([str(installed)], elsewhere)


def test_the_checkout_runs_the_demo_from_elsewhere(tmp_path: Path) -> None:
    """An editable install finds its data, queries and reports from any folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    use([sys.executable, "-m", "kminer"], elsewhere)
