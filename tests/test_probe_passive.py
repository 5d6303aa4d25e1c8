"""The detectors that only read: what they answer, and that damage never makes them answer "absent"."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
from test_probe_host import CONFIG, KNOWN, MOUNTS, capture, debian

from kminer.catalogue import load_features
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, BOUND, COMPILED, UNKNOWN, VERDICTS, Answer
from kminer.probe.host import Host
from kminer.probe.passive import PASSIVE

Files = dict[str, str | bytes]


def ask(host: Host, detector: str) -> Answer:
    kind, _, argument = detector.partition(":")
    return PASSIVE[kind](detector, argument, host)


@cache
def catalogued() -> tuple[str, ...]:
    """Every detector of the catalogue that only reads, and every symbol."""
    features = load_features().values()
    detectors = {detector for feature in features for detector in feature.detectors}
    detectors |= {f"kconfig:{symbol}" for feature in features for symbol in feature.kconfig}
    return tuple(sorted(name for name in detectors if name.partition(":")[0] in PASSIVE))


def ask_all(host: Host) -> dict[str, Answer]:
    return {detector: ask(host, detector) for detector in catalogued()}


ON_DEBIAN = {
    "kconfig:PSI": COMPILED, "kconfig:OVERLAY_FS": COMPILED, "kconfig:FILLER_1": ABSENT, "kconfig:NO|PSI": COMPILED,
    "kallsyms:cgroup_kill_write": COMPILED, "kallsyms:nothing|ovl_own_xattr_set": COMPILED, "kallsyms:cgroup": UNKNOWN,
    "fs:overlay": AVAILABLE, "fs:resctrl": ABSENT, "fs:cgroup": AVAILABLE, "fs:unheard": UNKNOWN,
    "file:/proc/pressure/memory": AVAILABLE, "file:/proc/self/ns/uts": COMPILED, "file:/proc/self/ns/ipc": ABSENT,
    "file:/proc/sys/kernel/ns_last_pid": ABSENT, "file:/sys/kernel/sched_ext": ABSENT,
    "file:/proc/sys/kernel/seccomp/actions_avail": UNKNOWN, "file:/sys/module/overlay/parameters/index": UNKNOWN,
    "file:/proc/sys/user/max_user_namespaces": ABSENT, "file:/sys/kernel/mm/lru_gen/enabled": ABSENT,
    "file:/proc/sys/net/ipv4/x": UNKNOWN,
    "sysctl:kernel.io_uring_disabled": AVAILABLE, "sysctl:kernel.unprivileged_userns_clone": ABSENT,
    "grep:/proc/self/status:NSpid": AVAILABLE, "grep:/proc/self/status:NSpi": ABSENT, "capbit:40": AVAILABLE,
    "capbit:41": ABSENT, "capbit:x": UNKNOWN, "nsino:user": AVAILABLE, "none:because": UNKNOWN,
    "proccgroups:cpu": COMPILED, "proccgroups:memory": ABSENT, "controller:memory": AVAILABLE,
    "controller:misc": ABSENT, "cgfile:memory.peak": AVAILABLE, "cgfile:memory.reclaim": ABSENT,
    "cgfile:memory.swap.peak": ABSENT, "cgfile:memory.zswap.max": ABSENT, "cgfile:cgroup.freeze": AVAILABLE,
    "cgfile:cgroup.stat.local": ABSENT, "cgfile:cpu.weight": UNKNOWN, "cgfile:misc.peak": ABSENT,
    "cgfile:pids.peak": ABSENT, "cgfile:memory.pressure": AVAILABLE, "cgglob:hugetlb.*.rsvd.max": AVAILABLE,
    "cgroot:cpu.stat": AVAILABLE, "cgroot:cpuset.cpus.isolated": ABSENT, "cgroot:cgroup.other": ABSENT,
    "cgkey:cpu.stat:usage_usec": AVAILABLE, "cgkey:cpu.stat:nice_usec": ABSENT, "cgkey:no.file:x": UNKNOWN,
    "cgread:cgroup.controllers": AVAILABLE, "cg2feat:nsdelegate": AVAILABLE, "cg2feat:favordynmods": ABSENT,
    "compare:/proc/meminfo:memory.max": AVAILABLE, "compare:/proc/stat:cpuset.cpus.effective": UNKNOWN,
    "compare:sysinfo": UNKNOWN,
}  # fmt: skip


def test_a_whole_captured_host_is_answered(tmp_path: Path) -> None:
    host = capture(tmp_path, debian())
    answers = {detector: ask(host, detector) for detector in ON_DEBIAN}
    assert {detector: answer.says for detector, answer in answers.items()} == ON_DEBIAN
    assert all(answer.evidence and answer.detector == detector for detector, answer in answers.items())


def test_every_kind_of_the_catalogue_is_known_and_answers_here() -> None:
    for detector, answer in ask_all(Host()).items():
        assert answer.says in VERDICTS and answer.evidence and answer.detector == detector


def _put(file: Path, how: str) -> None:
    if how == "empty":
        file.touch()
    elif how == "binary":
        file.write_bytes(bytes(range(256)) * 40)
    elif how == "folder":
        file.mkdir()
    elif how == "pipe":
        os.mkfifo(file)
    elif how == "loop":
        file.symlink_to(file.name)


READ = [name for name in debian() if not name.startswith("/sys/fs/cgroup/") or name.endswith("cgroup.controllers")]
# A file that is looked for, not read, is rightly taken for absent when it alone is missing.
LOOKED_FOR = ("/proc/pressure/", "/sys/kernel/cgroup/features", "/proc/self/ns/", "/proc/sys/kernel/io_uring")


@pytest.mark.parametrize("how", ["empty", "binary", "folder", "pipe", "loop", "missing"])
def test_damage_never_makes_an_absent(tmp_path: Path, how: str) -> None:
    before = {name: answer.says for name, answer in ask_all(capture(tmp_path, debian())).items()}
    for name in READ:
        if how == "missing" and name.startswith(LOOKED_FOR):
            continue
        file = tmp_path / name.lstrip("/")
        whole = file.rename(tmp_path / "whole")
        _put(file, how)
        after = {detector: answer.says for detector, answer in ask_all(Host(tmp_path)).items()}
        wrong = {detector for detector, says in after.items() if says == ABSENT and before[detector] != ABSENT}
        assert not wrong, (name, how)
        if file.is_dir():
            file.rmdir()
        whole.rename(file)


@pytest.mark.parametrize("gone", ["proc", "sys", "proc/sys", "proc/self", "sys/fs", "sys/kernel"])
def test_what_is_not_mounted_is_never_absent(tmp_path: Path, gone: str) -> None:
    host = capture(tmp_path, debian())
    before = {name: answer.says for name, answer in ask_all(Host(tmp_path)).items()}
    shutil.rmtree(tmp_path / gone)
    after = {name: answer for name, answer in ask_all(host).items()}
    wrong = {name for name, answer in after.items() if answer.says == ABSENT and before[name] != ABSENT}
    assert not wrong
    assert all(answer.evidence for answer in after.values())


def test_an_empty_tree_knows_nothing(tmp_path: Path) -> None:
    assert {answer.says for answer in ask_all(capture(tmp_path, {})).values()} == {UNKNOWN}


def _with(tmp_path: Path, changes: Files, without: str = "\0") -> Host:
    files = {name: content for name, content in debian().items() if not name.startswith(without)}
    return capture(tmp_path, files | changes)


def test_a_controller_on_v1_is_bound_elsewhere(tmp_path: Path) -> None:
    mounts = (
        MOUNTS + "40 28 0:9 / /mnt/memory rw - cgroup cgroup rw,memory\n41 28 0:9 / /mnt/io rw - cgroup c rw,blkio\n"
    )
    files: Files = {"/proc/self/mountinfo": mounts, "/sys/fs/cgroup/cgroup.controllers": "pids\n",
                    "/proc/self/cgroup": "4:memory:/\n3:cpu:/\n0::/\n"}  # fmt: skip
    host = _with(tmp_path, files, "/sys/fs/cgroup/")
    assert (ask(host, "controller:memory").says, ask(host, "cgfile:memory.peak").says) == (BOUND, BOUND)
    assert ask(host, "cgfile:memory.peak").by == "cgroup v1 hierarchy at /mnt/memory"
    assert (ask(host, "controller:io").says, ask(host, "cgroot:io.cost.qos").says) == (BOUND, UNKNOWN)
    assert ask(host, "controller:cpu").by == "a cgroup v1 hierarchy that is not mounted here"
    old = _with(tmp_path / "old", files | {"/proc/sys/kernel/osrelease": "4.9.1\n"}, "/sys/fs/cgroup/")
    assert (ask(old, "controller:cpu").says, ask(old, "controller:memory").says) == (UNKNOWN, BOUND)


def test_a_controller_that_was_not_handed_down_is_blocked(tmp_path: Path) -> None:
    place = "/sys/fs/cgroup/"
    names = ("cgroup.procs", "cgroup.events", "cgroup.type", "cgroup.subtree_control")
    files: Files = {f"{place}{name}": "" for name in names}
    files |= {f"{place}cgroup.controllers": "pids\n", "/proc/self/cgroup": "0::/\n"}
    host = _with(tmp_path, files, place)
    assert (ask(host, "controller:cpu").says, ask(host, "controller:memory").says) == (BLOCKED, UNKNOWN)
    assert ask(host, "cgroot:cpu.stat").says == UNKNOWN
    assert ask(host, "cgfile:memory.peak").says == UNKNOWN


def test_what_the_boot_switched_off_is_not_absent(tmp_path: Path) -> None:
    rows = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t0\nblkio\t0\t1\t1\n"
    files: Files = {"/proc/cgroups": rows, "/proc/cmdline": "cgroup_disable=memory cgroup_no_v1=all\n",
                    "/sys/fs/cgroup/cgroup.controllers": "pids\n"}  # fmt: skip
    host = _with(tmp_path, files, "/sys/fs/cgroup/")
    answer = ask(host, "proccgroups:memory")
    assert (answer.says, answer.by) == (BLOCKED, "cgroup_disable=memory")
    assert ask(host, "controller:memory").says == BLOCKED
    assert ask(host, "controller:misc").says == UNKNOWN
    assert ask(host, "proccgroups:blkio").by == "cgroup_no_v1=all"


def test_pressure_that_is_not_measured_is_not_absent(tmp_path: Path) -> None:
    files = {name: content for name, content in debian().items() if "pressure" not in name}
    host = capture(tmp_path / "off", dict(files))
    assert ask(host, "file:/proc/pressure/memory").says == ask(host, "cgfile:memory.pressure").says == COMPILED
    assert ask(host, "file:/proc/pressure/irq").says == ask(host, "cgfile:irq.pressure").says == UNKNOWN
    config = CONFIG.replace("CONFIG_PSI=y", "# CONFIG_PSI is not set").encode()
    host = capture(tmp_path / "not", files | {"/boot/config-6.12.107-amd64": config, "/proc/config.gz": b""})
    assert ask(host, "cgfile:memory.pressure").says == ABSENT


def test_interrupt_pressure_is_told_by_the_kernels_code(tmp_path: Path) -> None:
    files = {name: content for name, content in debian().items() if "irq" not in name}
    assert ask(capture(tmp_path / "a", dict(files)), "file:/proc/pressure/irq").says == ABSENT
    assert ask(capture(tmp_path / "b", dict(files)), "cgfile:irq.pressure").says == ABSENT
    files["/proc/kallsyms"] = "0 T _text\n0 T psi_account_irqtime\n"
    assert ask(capture(tmp_path / "c", dict(files)), "cgfile:irq.pressure").says == COMPILED
    del files["/proc/kallsyms"]
    assert ask(capture(tmp_path / "d", dict(files)), "cgfile:irq.pressure").says == UNKNOWN


def test_swap_that_is_not_accounted_for_is_not_absent(tmp_path: Path) -> None:
    files = {name: content for name, content in debian().items() if "memory.swap" not in name}
    host = capture(tmp_path / "a", files | {"/proc/config.gz": b""})
    assert ask(host, "cgfile:memory.swap.max").says == ask(host, "cgfile:memory.swap.peak").says == UNKNOWN
    config = {"/proc/config.gz": b"", "/boot/config-6.12.107-amd64": CONFIG + "CONFIG_SWAP=y\nCONFIG_MEMCG_SWAP=y\n"}
    assert ask(capture(tmp_path / "b", files | config), "cgfile:memory.swap.max").says == BLOCKED
    assert ask(capture(tmp_path / "c", dict(files)), "cgfile:memory.swap.max").says == ABSENT


def test_a_security_module_that_is_not_active_is_not_absent(tmp_path: Path) -> None:
    config = CONFIG + "CONFIG_SECURITY_YAMA=y\nCONFIG_SECURITY_APPARMOR=y\n"
    files: Files = {"/proc/config.gz": b"", "/boot/config-6.12.107-amd64": config, "/sys/kernel/security/lsm": "bpf"}
    host = _with(tmp_path / "a", files)
    assert ask(host, "file:/proc/sys/kernel/yama/ptrace_scope").says == COMPILED
    assert ask(host, "file:/sys/kernel/security/apparmor/features/namespaces").says == UNKNOWN
    assert ask(host, "sysctl:kernel.apparmor_restrict_unprivileged_userns").says == UNKNOWN
    active = _with(tmp_path / "b", files | {"/sys/kernel/security/lsm": "yama,apparmor"})
    assert ask(active, "file:/proc/sys/kernel/yama/ptrace_scope").says == ABSENT
    assert ask(active, "sysctl:kernel.apparmor_restrict_unprivileged_userns").says == ABSENT
    assert ask(active, "file:/sys/kernel/security/apparmor/features/namespaces").says == UNKNOWN


def test_a_module_that_is_not_loaded_is_compiled_in(tmp_path: Path) -> None:
    host = _with(tmp_path, {"/proc/filesystems": KNOWN})
    answer = ask(host, "fs:overlay")
    assert (answer.says, answer.by) == (COMPILED, "its module is not loaded")
    assert ask(host, "fs:cgroup2").says == ABSENT


def test_a_file_that_something_is_mounted_over_is_blocked(tmp_path: Path) -> None:
    mounts = MOUNTS + "50 30 0:40 / /proc/meminfo rw - fuse.lxcfs lxcfs rw\n"
    mounts += "51 30 0:40 / /proc/pressure/memory rw - fuse.lxcfs lxcfs rw\n"
    host = _with(tmp_path, {"/proc/self/mountinfo": mounts})
    for detector in ("compare:/proc/meminfo:memory.max", "file:/proc/pressure/memory"):
        assert (ask(host, detector).says, ask(host, detector).by) == (BLOCKED, "a mount of fuse.lxcfs over it")


def test_processors_are_compared_with_those_of_the_own_group(tmp_path: Path) -> None:
    host = _with(tmp_path, {"/sys/fs/cgroup/system.slice/a.service/cpuset.cpus.effective": "1\n"})
    answer = ask(host, "compare:/proc/stat:cpuset.cpus.effective")
    assert (answer.says, answer.evidence) == (AVAILABLE, "/proc/stat shows 2 cpus, the own cgroup allows 1")


UNMOUNTED = """
import sys
from kminer.probe.host import Host
from kminer.probe.passive import PASSIVE
host = Host()
answers = [PASSIVE[line.partition(":")[0]](line, line.partition(":")[2].strip(), host).says for line in sys.argv[1:]]
print(*answers, host.environment.release is not None, host.environment.cgroup_mode)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="takes root and unshare(1)")
@pytest.mark.parametrize("how", ["umount -l /proc", "mount -t proc -o subset=pid proc /proc"])
def test_without_proc_nothing_of_it_is_absent(how: str) -> None:
    """What is asked for is in no kernel, so that only an unknown is right where /proc does not show the kernel."""
    asked = ["file:/proc/sys/kernel/x", "sysctl:vm.x", "fs:cgroup9", "proccgroups:x", "kallsyms:x", "kconfig:X"]
    script = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{how} && exec "$@"', "sh"]
    run = subprocess.run([*script, sys.executable, "-c", UNMOUNTED, *asked], capture_output=True, text=True, timeout=60)
    if run.returncode and "mount" in run.stderr:
        pytest.skip(f"this host does not let /proc be changed: {run.stderr.strip()}")
    *says, release, _ = run.stdout.split()
    assert (says, release, run.stderr) == ([UNKNOWN] * len(asked), "True", "")


def test_all_of_this_host_is_read_in_a_moment() -> None:
    """The layer is to take 0.15 s; a busy machine may take longer, but never several times as long."""
    catalogued()
    started = time.process_time()
    ask_all(Host())
    assert time.process_time() - started < 1.0
