"""Trials in children: what they answer with and without rights, behind a filter, and that nothing stays behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kminer.probe import idmap, kernel
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, COMPILED, UNKNOWN, USE, VERDICTS, Answer, unknown
from kminer.probe.causes import refused_namespace
from kminer.probe.child import run_trials
from kminer.probe.filesystems import Told
from kminer.probe.forks import DiedError, error_of, forked, has_capability
from kminer.probe.host import Host
from kminer.probe.stages import Stage
from kminer.probe.trials import OWN, TRIALS, USER, place_of

FEATURES = Path(__file__).resolve().parents[1] / "data" / "features"
OWN_TRIAL = "unshare:CLONE_NEWUTS"

linux = pytest.mark.skipif(os.uname().sysname != "Linux", reason="asks a Linux kernel")
root = pytest.mark.skipif(os.geteuid() != 0 or not has_capability(21), reason="needs root with CAP_SYS_ADMIN")
this_host = pytest.mark.skipif(not os.uname().release.startswith("6.18.44"), reason="facts of a 6.18.44 host")
pytestmark = linux


def catalogue() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(FEATURES.glob("*.toml")):
        row = tomllib.loads(path.read_text())
        trials = [each for each in row.get("detect", []) if each.partition(":")[0] in TRIALS]
        if trials:
            found[row["id"]] = trials
    return found


DETECTORS = [detector for trials in catalogue().values() for detector in trials]
NOT_ON_6_18 = {"unshare:UNSHARE_EMPTY_MNTNS", "func:ovl_mount_idmap"}


def host() -> Host:
    return Host(Path("/"))


def answers_after(prepare: Callable[[], object], **options: Any) -> dict[str, Answer]:
    """The answers of all trials, asked by a process that did `prepare` before."""

    def ask() -> str:
        prepare()
        told = run_trials(DETECTORS, host(), **options)
        return json.dumps([[each.detector, each.says, each.evidence, each.proves, each.by, each.errno]
                           for each in told.values()])  # fmt: skip

    return {row[0]: Answer(*row) for row in json.loads(forked(ask))}


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def forbid(number: int, *calls: str, kill: bool = False) -> None:
    """Install a seccomp filter that answers an errno to some calls, or kills, and allows all others."""
    action = 0x80000000 if kill else kernel.SECCOMP_RET_ERRNO | number
    numbers = [found for call in calls if (found := kernel.number(call)) is not None]
    program = [(0x20, 0, 0, 0)]
    for place, each in enumerate(numbers):
        program.append((0x15, len(numbers) - place, 0, each))
    program += [(0x06, 0, 0, kernel.SECCOMP_RET_ALLOW), (0x06, 0, 0, action)]
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    laid_out = kernel.FilterProgram(program)
    kernel.syscall("seccomp", kernel.SECCOMP_SET_MODE_FILTER, 0, laid_out.fprog)


def hide_proc() -> None:
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.umount("/proc", kernel.MNT_DETACH)


def traces() -> dict[str, object]:
    """What a probe might leave behind."""
    names = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
    ours = [pid for pid in names if _mother(pid) == os.getpid()]
    groups = {str(path) for path in Path("/sys/fs/cgroup").rglob("*kminer*")}
    files = {path.name for folder in ("/mnt", "/srv", "/run") for path in Path(folder).glob("*kminer*")}
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "kminer" in line]
    listed = Path("/proc/modules")
    modules = [line.split()[0] for line in listed.read_text().splitlines()] if listed.exists() else []
    return {"processes": ours, "cgroups": groups, "files": files, "mounts": mounts, "modules": modules}


def _mother(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def wait_until(happened: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happened()


def test_every_trial_of_the_catalogue_has_code() -> None:
    """No detector of these kinds names a function, a namespace or a file system that is not known here."""
    told = run_trials(DETECTORS, host())
    assert set(told) == set(DETECTORS)
    assert all(answer.says in VERDICTS for answer in told.values())
    assert not [answer for answer in told.values() if "no trial is called" in answer.evidence]
    assert not [answer for answer in told.values() if "ended with status" in answer.evidence]


@root
@this_host
def test_root_finds_what_is_known_of_this_host() -> None:
    """With --as-root-too, root finds all that was seen by hand, and nothing else."""
    told = answers_after(lambda: None, as_root_too=True)
    wrong = {each: answer for each, answer in told.items() if answer.says != AVAILABLE}
    assert set(wrong) == NOT_ON_6_18
    assert {answer.says for answer in wrong.values()} == {ABSENT}


@root
@this_host
def test_nobody_finds_the_same_by_a_user_namespace() -> None:
    """Without rights, what is there is available, or blocked by a right that is missing; never absent."""
    told = answers_after(become_nobody)
    absent = {each for each, answer in told.items() if answer.says == ABSENT}
    assert absent == {"unshare:UNSHARE_EMPTY_MNTNS"}
    assert told["fsopt:tmpfs:noswap"].says == BLOCKED
    assert "Turning off swap" in told["fsopt:tmpfs:noswap"].evidence
    assert told["fsopt:bpf:delegate_cmds=any"].says == BLOCKED
    assert told["mount_userns:overlay"].says == AVAILABLE
    assert told["unshare:CLONE_NEWNET"].says == AVAILABLE


@root
def test_without_the_flag_the_real_root_is_not_idmapped() -> None:
    """The file system of / is left alone, and the answer says what it takes."""
    told = run_trials(["func:idmap_mount:/"], host())["func:idmap_mount:/"]
    assert told.says != AVAILABLE
    assert "--as-root-too" in told.evidence


@root
def test_a_file_system_that_is_not_idmapped_does_not_deny_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system of / may be one of those (a ramfs) that the kernel does not idmap."""
    monkeypatch.setattr(idmap, "_errno_of_idmap", lambda path: errno.EINVAL)
    told = run_trials(["func:idmap_mount:/"], host(), as_root_too=True)["func:idmap_mount:/"]
    assert told.says == COMPILED


FILTERED = (
    "mount", "unshare", "setns", "fsopen", "fsconfig", "fsmount", "move_mount", "open_tree", "mount_setattr", "clone3",
    "open_by_handle_at", "seccomp",
)  # fmt: skip


@root
@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
@pytest.mark.parametrize("as_nobody", [False, True])
def test_a_filter_is_not_taken_for_the_kernel(number: int, as_nobody: bool) -> None:
    """Behind a seccomp filter, what the kernel has is never absent, and what was not used is not available."""

    def prepare() -> None:
        if as_nobody:
            become_nobody()
        forbid(number, *FILTERED)

    told = answers_after(prepare)
    assert {each for each, answer in told.items() if answer.says == ABSENT} <= NOT_ON_6_18
    available = {each for each, answer in told.items() if answer.says == AVAILABLE}
    assert available <= {"func:clone3_pidfd", "func:cgroup_user_xattr", "func:nsfs_handle"}
    assert told["unshare:CLONE_NEWUTS"].says == BLOCKED
    assert "seccomp" in told["unshare:CLONE_NEWUTS"].by
    assert "seccomp" in told["unshare_as_nobody:CLONE_NEWUSER"].by


@root
def test_a_filter_for_fsopen_only_leaves_the_rest() -> None:
    """A filter that forbids the new mount API does not hide the old one."""
    told = answers_after(lambda: forbid(errno.EPERM, "fsopen"))
    assert told["ovlmount:lowerdir=a:b"].says == AVAILABLE
    assert told["unshare:CLONE_NEWUTS"].says == AVAILABLE
    assert told["fsopt:overlay:volatile"].says in (UNKNOWN, AVAILABLE)


@root
def test_a_filter_that_kills_is_survived() -> None:
    """SIGSYS costs the one trial that it hits."""
    told = answers_after(lambda: forbid(0, "clone3", kill=True))
    assert told["func:clone_into_cgroup"].says == UNKNOWN
    assert "SIGSYS: a seccomp filter kills" in told["func:clone_into_cgroup"].evidence
    assert told["unshare:CLONE_NEWUTS"].says == AVAILABLE


@root
@pytest.mark.parametrize("as_nobody", [False, True])
def test_without_proc_nothing_is_absent_by_mistake(as_nobody: bool) -> None:
    """Without /proc, trials that need it say so; those that do not go on."""

    def prepare() -> None:
        hide_proc()
        if as_nobody:
            become_nobody()

    told = answers_after(prepare)
    assert {each for each, answer in told.items() if answer.says == ABSENT} <= NOT_ON_6_18
    assert told["func:self_cgroup_in_cgroupns"].says == UNKNOWN
    assert told["fsopt:overlay:volatile"].says == UNKNOWN
    if not as_nobody:
        assert told["unshare:CLONE_NEWUTS"].says == AVAILABLE


@root
def test_the_limit_of_namespaces_is_named() -> None:
    """A limit of a user namespace (user.max_uts_namespaces) is what stands in the way, by name."""

    def ask() -> str:
        from kminer.probe.stages import enter_user_namespace

        enter_user_namespace()
        Path("/proc/sys/user/max_uts_namespaces").write_text("0")
        return run_trials([OWN_TRIAL], host())[OWN_TRIAL].by

    assert forked(ask) == "the sysctl user.max_uts_namespaces = 0"


@root
def test_a_chroot_is_named(tmp_path: Path) -> None:
    """In a chroot no user namespace can be made, and the chroot is named."""
    (tmp_path / "proc").mkdir()
    tmp_path.chmod(0o755)

    def ask() -> str:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("/proc", str(tmp_path / "proc"), None, kernel.MS_BIND | kernel.MS_REC)
        os.chroot(tmp_path)
        os.chdir("/")
        detector = "unshare_as_nobody:CLONE_NEWUSER"
        answer = run_trials([detector], host())[detector]
        return f"{answer.says} {answer.by}"

    assert forked(ask) == f"{BLOCKED} a chroot"


def test_a_flag_that_no_kernel_knows_is_absent() -> None:
    """EINVAL that the kernel gives to an unknown flag, too, means absent; but not where it shows the namespace."""
    told = refused_namespace("d", 0x100000 | kernel.CLONE_NEWNS, errno.EINVAL, host())
    assert told.says == ABSENT
    assert refused_namespace("d", kernel.CLONE_NEWUTS, errno.EINVAL, host()).says == UNKNOWN


def test_places() -> None:
    """Without rights, what needs them is tried in a user namespace; what concerns these is always tried there."""
    assert place_of("unshare:CLONE_NEWUTS", True) == OWN
    assert place_of("unshare:CLONE_NEWUTS", False) == USER
    assert place_of("unshare:CLONE_NEWUSER", False) == OWN
    assert place_of("mount_userns:tmpfs", True) == USER


def test_logs_of_contexts() -> None:
    """An unknown parameter and a bad value are told apart by the log."""
    assert Told(errno.EINVAL, "overlay: Unknown parameter 'x'").is_unknown
    assert Told(errno.EINVAL, "proc: Bad value for 'hidepid'").is_bad_value
    assert not Told(0, "").is_unknown


def test_a_fs_that_is_not_registered_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where overlay is a module that is not loaded, it is not asked for: that would load it."""
    stage = Stage(host(), False, False)
    stage.host.__dict__["filesystems"] = frozenset({"tmpfs"})
    stage.host.__dict__["kconfig"] = replace(stage.host.kconfig, symbols={"OVERLAY_FS": "m"})
    monkeypatch.setattr(kernel, "fsopen", lambda kind: pytest.fail("asked"))
    monkeypatch.setattr(kernel, "mount", lambda *arguments: pytest.fail("mounted"))
    for detector in ("fsopen:overlay", "fsopt:overlay:volatile", "ovlmount:lowerdir=a:b", "mount_userns:overlay"):
        kind, _, argument = detector.partition(":")
        answer = TRIALS[kind](detector, argument, stage)
        assert answer.says != ABSENT
        assert "not loaded" in answer.evidence


class Patched:
    """Kinds of trials that do harm."""

    def __init__(self, folder: Path) -> None:
        self.marks = folder

    def hang(self, detector: str, argument: str, stage: Stage) -> Answer:
        child = os.fork()
        if not child:
            from kminer.probe.forks import die_with

            die_with(os.getppid())
            time.sleep(60)
            os._exit(0)
        (self.marks / "pids").write_text(f"{os.getpid()} {child}")
        time.sleep(60)
        return unknown(detector, "never")

    def crash(self, detector: str, argument: str, stage: Stage) -> Answer:
        os.kill(os.getpid(), getattr(signal, argument))
        time.sleep(60)
        return unknown(detector, "never")

    def fail(self, detector: str, argument: str, stage: Stage) -> Answer:
        raise RuntimeError("a bug")


@pytest.fixture
def harm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Patched]:
    folder = Path(tempfile.mkdtemp(prefix="trials-"))
    folder.chmod(0o777)
    patched = Patched(folder)
    kinds: Mapping[str, Any] = {"hang": patched.hang, "crash": patched.crash, "fail": patched.fail}
    for kind, trial in kinds.items():
        monkeypatch.setitem(TRIALS, kind, trial)  # type: ignore[arg-type]
    yield patched
    shutil.rmtree(folder)


def test_a_hang_a_crash_and_a_bug_cost_one_trial_each(harm: Patched) -> None:
    """The trials before and after are answered, and the others say what happened."""
    first, hang, last = "unshare:CLONE_NEWUTS", "hang:", "fsopt:proc:subset=pid"
    told = run_trials([first, hang, last], host(), timeout=0.5)
    assert told[hang].says == UNKNOWN
    assert told[hang].evidence == "it hung for 0.5 s"
    assert told[first].says == told[last].says == run_trials([first], host())[first].says
    pids = [int(pid) for pid in (harm.marks / "pids").read_text().split()]
    assert wait_until(lambda: all(map(is_gone, pids)))
    told = run_trials(["crash:SIGSEGV", "fail:", last], host(), timeout=5)
    assert told["crash:SIGSEGV"].evidence == "it died of SIGSEGV"
    assert told["fail:"].evidence == "it ended with status 1"
    assert told[last].proves != USE or told[last].says != UNKNOWN


def test_after_three_losses_the_rest_is_given_up(harm: Patched) -> None:
    """A host on which everything hangs is not waited for again and again."""
    hangs = [f"hang:{number}" for number in range(6)]
    started = time.monotonic()
    told = run_trials(hangs, host(), timeout=0.2)
    assert time.monotonic() - started < 3
    assert [answer.says for answer in told.values()] == [UNKNOWN] * 6
    assert "given up after 3 lost trials" in told["hang:5"].evidence


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_a_probe_that_is_ended(harm: Patched, ended_by: signal.Signals) -> None:
    """Killed, interrupted or ended in the middle of a trial, it takes its children with it."""
    before = traces()
    prober = os.fork()
    if not prober:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            run_trials(["hang:", "ovlmount:lowerdir=a:b"], host(), timeout=30)
        finally:
            os._exit(0)
    mark = harm.marks / "pids"
    assert wait_until(lambda: mark.exists() and len(mark.read_text().split()) == 2)
    os.kill(prober, ended_by)
    os.waitpid(prober, 0)
    pids = [int(pid) for pid in mark.read_text().split()]
    assert wait_until(lambda: all(map(is_gone, pids)))
    assert traces() == before


def test_nothing_is_left_behind() -> None:
    """Mounts, processes, cgroups, files and modules are as before."""
    before, mounts = traces(), Path("/proc/self/mountinfo").read_text()
    folder = os.listdir("/mnt") if Path("/mnt").is_dir() else []  # noqa: PTH208
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    run_trials(DETECTORS, host(), as_root_too=True)
    assert traces() == before
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert (os.listdir("/mnt") if Path("/mnt").is_dir() else []) == folder  # noqa: PTH208
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert Path.cwd().exists()


def test_a_forked_process_hands_back_its_error_or_its_end() -> None:
    """An OSError crosses over with its errno and file name; a death is told."""
    assert forked(lambda: "text") == "text"
    assert error_of(lambda: Path("/nowhere").read_text()) == errno.ENOENT
    with pytest.raises(FileNotFoundError) as caught:
        forked(lambda: Path("/nowhere").read_text())
    assert caught.value.filename == "/nowhere"
    with pytest.raises(DiedError, match="died of SIGUSR1"):
        forked(lambda: str(os.kill(os.getpid(), signal.SIGUSR1)))


def test_without_processes_all_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started, every trial says so."""

    def refuse() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    asked = host()
    _ = asked.environment
    monkeypatch.setattr(os, "fork", refuse)
    told = run_trials([OWN_TRIAL, "mount_userns:tmpfs"], asked)
    assert {answer.says for answer in told.values()} == {UNKNOWN}
    assert "no child process could be started" in told[OWN_TRIAL].evidence
