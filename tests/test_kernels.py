"""The probe on real kernels in qemu: no verdict that their source contradicts, nothing left behind."""

from __future__ import annotations

import pytest
from kernels import boot, fetch
from kernels.compare import format_differences
from kernels.probing import RUNS, get_kernel, probe_kernel

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
    judged = probe_kernel(kernel)
    assert [each.run for each in judged] == [run.name for run in RUNS]
    faults = [f"{each.run}: {fault}" for each in judged for fault in each.faults]
    assert not faults, "\n".join(faults)
    false = [difference for each in judged for difference in each.differences if not difference.explained]
    assert not false, "\n" + format_differences(false)
