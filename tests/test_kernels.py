"""The probe on real kernels in qemu: no verdict that their source contradicts, nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kernels import boot, fetch
from kernels.compare import compare, format_differences, read_explanations
from kernels.probing import TESTED, get_kernel, probe_kernel

from kminer.catalogue import load_features
from kminer.records import Feature

CACHE = fetch.cache_folder()
"""Taken before a test has a home of its own, where no kernel would be found."""


@pytest.mark.slow
@pytest.mark.parametrize("series", ["6.1", "7.3"])
def test_no_verdict_contradicts_the_source(series: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, as nobody and below filters: nothing is there that is not, nothing absent that is, nothing left."""
    if not boot.has_qemu():
        pytest.skip(f"{boot.QEMU} is not installed")
    monkeypatch.setenv("KMINER_KERNELS", str(CACHE))
    try:
        kernel = get_kernel(series)
    except fetch.CannotFetchError as error:
        pytest.skip(str(error))
    judged = probe_kernel(kernel, TESTED)
    assert [each.run for each in judged] == [run.name for run in TESTED]
    faults = [f"{each.run}: {fault}" for each in judged for fault in each.faults]
    assert not faults, "\n".join(faults)
    false = [difference for each in judged for difference in each.differences if not difference.explained]
    assert not false, "\n" + format_differences(false)


FEATURE = Feature(
    "x.y", "linux", "test", "X", "Has X.", (), "5.14", "high", kconfig=("A", "B"),
    presence=(("5.10.262", False), ("6.1.192", True)),
)  # fmt: skip


@pytest.fixture
def kernel(tmp_path: Path) -> fetch.Kernel:
    """A kernel 5.10 that was built with A and B."""
    (tmp_path / "config").write_text("CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\n")
    return fetch.Kernel("5.10", "5.10.262", "5.10.0-1-test", "test 1", tmp_path)


@pytest.mark.parametrize(
    ("series", "verdict", "wrong"),
    [
        ("5.10", "available", "false available"),
        ("5.10", "compiled-in", "false compiled-in"),
        ("5.10", "absent", None),
        ("5.10", "unknown", None),
        ("6.1", "absent", "false absent"),
        ("6.1", "available", None),
        ("6.1", "blocked", None),
        ("6.6", "available", None),
    ],
)
def test_what_counts_as_false(kernel: fetch.Kernel, series: str, verdict: str, wrong: str | None) -> None:
    """A verdict is false where the source says otherwise; of a kernel whose source is not known none is."""
    found = compare(replace(kernel, series=series), "root", [_finding(verdict)], {"x.y": FEATURE}, [])
    assert [difference.wrong for difference in found] == ([wrong] if wrong else [])
    assert not any(difference.explained for difference in found)


def test_a_backport_is_no_error(kernel: fetch.Kernel) -> None:
    """What older kernels were seen to have may be available in them."""
    feature = replace(FEATURE, backports=("5.10.262",))
    assert not compare(kernel, "root", [_finding("available")], {"x.y": feature}, [])


def test_differences_are_explained(kernel: fetch.Kernel, tmp_path: Path) -> None:
    """By a symbol that is not set, by a filter, by a row of the file; the table shows each with its explanation."""
    features = {"x.y": replace(FEATURE, kconfig=("A", "C"))}
    absent = compare(replace(kernel, series="6.1"), "root", [_finding("absent")], features, [])
    filtered = compare(kernel, "eperm", [_finding("blocked", by="seccomp filter")], features, [])
    file = tmp_path / "explained.toml"
    file.write_text('[[difference]]\nfeature = "x.y"\nverdict = "available"\nreason = "so it is"\nruns = ["root"]\n')
    rows = read_explanations(file)
    listed = [compare(kernel, run, [_finding("available")], features, rows)[0].explained for run in ("root", "user")]
    assert absent[0].explained == "built without CONFIG_C"
    assert filtered[0].explained
    assert listed == ["so it is", ""]
    assert "explained: built without CONFIG_C" in format_differences(absent)


def test_explanations_name_features() -> None:
    """Every row of the shipped list is about a feature that there is, and gives a reason."""
    features = load_features()
    for row in read_explanations():
        assert row.feature in features
        assert row.reason


def _finding(verdict: str, by: str = "") -> dict[str, str]:
    return {"feature": "x.y", "verdict": verdict, "reason": "it was seen", "by": by}
