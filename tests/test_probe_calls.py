"""Detectors by calls: right on this kernel, and never misled by missing rights, seccomp filters or a missing /proc."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
import subprocess
import sys
import tomllib
from collections.abc import Callable
from ctypes import Array
from pathlib import Path
from typing import Any

import pytest

from kminer.probe import kernel, refusals
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, COMPILED, INTERFACE, UNKNOWN, Answer
from kminer.probe.calls import CALLS
from kminer.probe.host import Host
from kminer.probe.kconfig import Config

FEATURES = Path(__file__).parent.parent / "data" / "features"
FACTS = Path(__file__).parent.parent.parent / "shared" / "facts" / "features.json"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to become somebody else")

# Runs every detector, after it became what the arguments say, and tells what it left open.
CHILD = """
import json, os, sys
from kminer.probe import kernel
from kminer.probe.calls import CALLS
from kminer.probe.host import Host

errno, refused, uid, root, detectors = json.load(sys.stdin)
host = Host()
if root:
    os.chroot(root)
    os.chdir("/")
if uid:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
if errno is not None:
    load, allow = (0x20, 0, 0, 0), (0x06, 0, 0, kernel.SECCOMP_RET_ALLOW)
    numbers = [kernel.number(name) for name in refused]
    jumps = [(0x15, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program = [load, *jumps, allow, (0x06, 0, 0, kernel.SECCOMP_RET_ERRNO | errno)]
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filter_program = kernel.FilterProgram(program)
    kernel.syscall("seccomp", kernel.SECCOMP_SET_MODE_FILTER, 0, filter_program.fprog)


def open_ones():
    return [number for number in range(64) if is_open(number)]


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


before = open_ones()
answers = {}
for detector in detectors:
    kind, _, argument = detector.partition(":")
    answer = CALLS[kind](detector, argument, host)
    answers[detector] = [answer.says, answer.by, answer.errno, answer.evidence]
json.dump([answers, before == open_ones()], sys.stdout)
"""

UNUSUAL = ("seccomp", "bpf", "setns", "statx", *kernel._SHARED)
ALSO_COMMON = (*UNUSUAL, "prctl", "ioctl", "statfs", "fstatfs", "capget")


def detectors() -> list[str]:
    """All detectors of the catalogue that are calls."""
    named = [tomllib.loads(path.read_text()).get("detect", []) for path in sorted(FEATURES.glob("*.toml"))]
    return [detector for each in named for detector in each if detector.partition(":")[0] in CALLS]


def ask(detector: str, host: Host | None = None) -> Answer:
    kind, _, argument = detector.partition(":")
    return CALLS[kind](detector, argument, host or Host())


def ask_in_child(
    error: int | None = None, refused: tuple[str, ...] = (), uid: int = 0, root: str = ""
) -> dict[str, list[str]]:
    """What all detectors answer in a child under a filter, as somebody else, or in another root."""
    told = json.dumps([error, refused, uid, root, detectors()])
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answers, nothing_left = json.loads(done.stdout)
    assert nothing_left, "descriptors were left open"
    return dict(answers)


@pytest.fixture(scope="module")
def unhindered() -> dict[str, list[str]]:
    """What the detectors answer on this host, from whoever runs the tests."""
    return ask_in_child()


def test_every_detector_of_the_catalogue_is_answered(unhindered: dict[str, list[str]]) -> None:
    """None is without arguments that it can be asked with, and none is misunderstood."""
    assert len(unhindered) >= 49
    strange = ("not understood", "not known here", "no harmless arguments")
    assert not [detector for detector, answer in unhindered.items() if any(word in answer[3] for word in strange)]


@pytest.mark.shared
@pytest.mark.skipif(not FACTS.exists(), reason="the facts are not here")
@AS_ROOT
def test_the_answers_are_those_seen_by_hand(unhindered: dict[str, list[str]]) -> None:
    """On the kernel of the facts, what was observed there is what is answered."""
    if not os.uname().release.startswith("6.18.44"):
        pytest.skip("another kernel than that of the facts")
    seen = {
        each["detector"]: each["result"]
        for feature in json.loads(FACTS.read_text())["features"]
        for each in feature.get("observed_on_6_18_44") or []
    }
    compared = {detector: seen[detector] for detector in unhindered if detector in seen}
    assert len(compared) >= 40
    said = {"yes": AVAILABLE, "no": ABSENT}
    assert {detector: unhindered[detector][0] for detector in compared} == {
        detector: said[result] for detector, result in compared.items()
    }


@AS_ROOT
def test_nobody_is_told_nothing_wrong(unhindered: dict[str, list[str]]) -> None:
    """Without any capability an answer is the same, or tells of the missing right."""
    for detector, (says, by, number, why) in ask_in_child(uid=65534).items():
        if says != unhindered[detector][0]:
            assert says in (BLOCKED, UNKNOWN), (detector, says, why)
            assert number == "EPERM", detector
            assert by == ("CAP_SYS_ADMIN" if says == BLOCKED else ""), detector
            assert says == BLOCKED or "takes CAP_" in why, detector


@pytest.mark.parametrize("uid", [0, pytest.param(65534, marks=AS_ROOT)])
@pytest.mark.parametrize("refused", [UNUSUAL, ALSO_COMMON])
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS, 0])
def test_a_filter_misleads_nobody(
    error: int, refused: tuple[str, ...], uid: int, unhindered: dict[str, list[str]]
) -> None:
    """Under a filter that answers EPERM, ENOSYS or success nothing is falsely absent or available."""
    for detector, (says, by, _, why) in ask_in_child(error, refused, uid).items():
        if says in (AVAILABLE, ABSENT, COMPILED):
            assert says == unhindered[detector][0], (detector, says, why)
        if says == BLOCKED:
            lacking = " or the lack of CAP_SYS_ADMIN" if uid and error and detector == "syscall:fsopen" else ""
            assert by in ("a seccomp filter", f"a seccomp filter{lacking}"), detector
        if says == BLOCKED and not uid:
            assert unhindered[detector][0] == AVAILABLE, detector
        if (detector.startswith("syscall:") or refused == ALSO_COMMON) and not detector.startswith("lsm:"):
            assert says != AVAILABLE, (detector, why)


@AS_ROOT
def test_who_filters_is_named() -> None:
    """Where the kernel's symbols can be read, a call behind a filter is told from one that is not there."""
    if refusals._is_implemented("openat", Host()) is None:
        pytest.skip("the kernel's symbols cannot be read")
    answers = ask_in_child(errno.ENOSYS, UNUSUAL)
    assert answers["syscall:clone3"][:3] == [BLOCKED, "a seccomp filter", "ENOSYS"]
    assert answers["syscall:setns"][0] == BLOCKED
    answers = ask_in_child(errno.EPERM, ("setns",), 65534)
    assert answers["syscall:fsopen"][:3] == [BLOCKED, "a seccomp filter or the lack of CAP_SYS_ADMIN", "EPERM"]
    assert answers["syscall:setns"][:3] == [BLOCKED, "a seccomp filter", "EPERM"]
    assert answers["syscall:clone3"][0] == AVAILABLE
    assert answers["prctl:PR_GET_SECCOMP"][0] == AVAILABLE


@AS_ROOT
def test_without_proc_namespaces_are_unknown(tmp_path: Path, unhindered: dict[str, list[str]]) -> None:
    """In an empty root nothing becomes absent: what /proc and /sys would tell is unknown."""
    answers = ask_in_child(root=str(tmp_path))
    for detector, (says, _, _, why) in answers.items():
        if detector.startswith("nsioctl:"):
            assert (says, "/proc/self/ns" in why) == (UNKNOWN, True), detector
        elif says != unhindered[detector][0]:
            assert says == UNKNOWN, (detector, says, why)


@AS_ROOT
def test_without_proc_a_filter_is_still_seen(tmp_path: Path, unhindered: dict[str, list[str]]) -> None:
    """Neither /proc/self/status nor the kernel's symbols are needed to mistrust ENOSYS."""
    for detector, (says, _, _, why) in ask_in_child(errno.ENOSYS, UNUSUAL, root=str(tmp_path)).items():
        assert says in (UNKNOWN, unhindered[detector][0]), (detector, says, why)


class Calls:
    """A kernel of a test's making: what it answers to calls by name; a negative number is an errno."""

    def __init__(self, **answers: int | Callable[..., int]) -> None:
        self.answers = answers

    def __call__(self, name: str, *arguments: Any) -> int:
        found = self.answers.get(name, -errno.ENOSYS)
        result = found if isinstance(found, int) else found(*arguments)
        if result < 0:
            raise OSError(-result, os.strerror(-result), name)
        return result


def no_filter(option: int, *arguments: object) -> int:
    return 0 if option in (kernel.PR_GET_SECCOMP, kernel.PR_GET_DUMPABLE) else -errno.EINVAL


def simulate(monkeypatch: pytest.MonkeyPatch, **answers: int | Callable[..., int]) -> None:
    monkeypatch.setattr(kernel, "syscall", Calls(**{"prctl": no_filter, **answers}))


def test_old_kernels_lack_calls_and_what_hangs_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSYS without a filter is the kernel's own answer: the call, its flags and its objects are absent."""
    simulate(monkeypatch)
    for detector in detectors():
        kind = detector.partition(":")[0]
        if kind in ("syscall", "syscallflag", "seccomp_flag", "landlock_abi", "pidfdioctl", "statfs_pidfd", "bpfprog"):
            assert ask(detector).says == ABSENT, detector
    assert ask("prctl:PR_CAP_AMBIENT").says == ABSENT


@pytest.mark.parametrize("number", [errno.ENOTTY, errno.EINVAL])
def test_an_ioctl_answered_like_an_unknown_one_is_absent(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """6.12 answers EINVAL to every pidfd ioctl with an argument, known or not."""
    reader, writer = os.pipe()
    os.close(writer)
    simulate(monkeypatch, pidfd_open=reader, ioctl=-number)
    assert ask("pidfdioctl:PIDFD_GET_INFO").says == ABSENT


def test_landlock_that_was_not_enabled_is_compiled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """EOPNOTSUPP tells of the code, and nothing of later versions of the ABI."""
    simulate(monkeypatch, landlock_create_ruleset=-errno.EOPNOTSUPP)
    first = ask("landlock_abi:1")
    assert (first.says, first.by) == (COMPILED, "the boot parameter lsm=")
    assert ask("landlock_abi:4").says == UNKNOWN
    simulate(monkeypatch, landlock_create_ruleset=3)
    assert [ask(f"landlock_abi:{version}").says for version in (1, 3, 4)] == [AVAILABLE, AVAILABLE, ABSENT]


def test_seccomp_without_filters_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with seccomp's strict mode only answers PR_GET_SECCOMP, and takes no filter."""
    simulate(monkeypatch)
    assert ask("prctl:PR_GET_SECCOMP").says == ABSENT


def test_seccomp_actions_need_the_question_to_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 4.14 actions cannot be asked for, which is no answer about them."""
    simulate(monkeypatch, seccomp=-errno.EINVAL)
    assert ask("seccomp_action:0x7fff0000").says == ABSENT
    assert ask("seccomp_action:0x7fc00000").says == UNKNOWN
    simulate(monkeypatch, seccomp=-errno.EOPNOTSUPP)
    assert ask("seccomp_action:0x7fc00000").says == ABSENT


def test_wait_killable_is_asked_with_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag alone is EINVAL in every kernel."""

    def seccomp(operation: int, flags: int, *rest: object) -> int:
        assert rest == (None,), "a filter would have been installed"
        return -errno.EFAULT if flags in (0, 8, 0x28) else -errno.EINVAL

    simulate(monkeypatch, seccomp=seccomp)
    assert ask("seccomp_flag:0x20").says == AVAILABLE
    assert ask("seccomp_flag:0x80").says == ABSENT


def test_flags_that_a_right_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPERM to a known flag only says who is missing what; EPERM to all flags says nothing."""
    flag = kernel.OPEN_TREE_NAMESPACE
    simulate(monkeypatch, capget=0, open_tree=lambda *given: -{flag: 1, 1 << 30: 22}.get(given[2], 9))
    answer = ask("syscallflag:open_tree:OPEN_TREE_NAMESPACE")
    assert (answer.says, answer.by, answer.proves) == (BLOCKED, "CAP_SYS_ADMIN", INTERFACE)
    simulate(monkeypatch, capget=0, move_mount=-errno.EPERM)
    assert ask("syscallflag:move_mount:MOVE_MOUNT_BENEATH").says == UNKNOWN
    simulate(monkeypatch, move_mount=-errno.EINVAL)
    assert ask("syscallflag:move_mount:MOVE_MOUNT_BENEATH").says == UNKNOWN


@pytest.mark.parametrize(
    ("given", "says"), [(0x47FF, AVAILABLE), (0x17FF, ABSENT), (0, UNKNOWN), (0x400047FF, UNKNOWN)]
)
def test_statx_fields(monkeypatch: pytest.MonkeyPatch, given: int, says: str) -> None:
    """Only a mask that a kernel can have given is believed."""

    def statx(directory: int, path: bytes, flags: int, mask: int, buffer: Array[Any]) -> int:
        buffer.raw = struct.pack("=I", given) + buffer.raw[4:]
        return 0

    simulate(monkeypatch, statx=statx)
    assert ask("statx:0x4000").says == says


@pytest.mark.parametrize(
    ("socket_filter", "device", "says"),
    [(0, 0, AVAILABLE), (0, errno.EINVAL, ABSENT), (errno.EINVAL, errno.EINVAL, UNKNOWN), (0, errno.EPERM, UNKNOWN)],
)
def test_bpf_programs(monkeypatch: pytest.MonkeyPatch, socket_filter: int, device: int, says: str) -> None:
    """A type is absent only where another one can be loaded and an unknown one is refused in the same way."""

    def bpf(command: int, attributes: Array[Any], size: int) -> int:
        (kind,) = struct.unpack_from("=I", attributes)
        refusal = {1: socket_filter, 15: device}.get(kind, errno.EINVAL)
        return -refusal if refusal else os.open(os.devnull, os.O_RDONLY)

    simulate(monkeypatch, bpf=bpf)
    assert ask("bpfprog:cgroup_device").says == says


class Modules(Host):
    """A host with the security modules and the configuration of a test's making."""

    def __init__(self, listed: str, config: dict[str, str] | None) -> None:
        super().__init__()
        self.listed = listed
        self.kconfig = Config(config, "a test")

    def read(self, path: str, limit: int = 0) -> str:
        if not self.listed:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self.listed


@pytest.mark.parametrize(
    ("listed", "config", "says"),
    [
        ("capability,bpf\n", {}, AVAILABLE), ("", {"BPF_LSM": "y"}, UNKNOWN),
        ("capability,yama", {"BPF_LSM": "y"}, COMPILED),
        ("capability", {"BPF": "y"}, ABSENT), ("capability", None, UNKNOWN), ("\n", {}, UNKNOWN),
    ],
)  # fmt: skip
def test_security_modules(
    monkeypatch: pytest.MonkeyPatch, listed: str, config: dict[str, str] | None, says: str
) -> None:
    """Without lsm_list_modules securityfs is read; what is inactive is absent only by the configuration."""
    simulate(monkeypatch)
    assert ask("lsm:109", Modules(listed, config)).says == says
    assert ask("lsm:9999", Modules(listed, config)).says == UNKNOWN


def test_machines_without_numbers_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a call's number is not known nothing is said of the kernel."""
    monkeypatch.setattr(kernel, "_TABLES", {})
    for detector in detectors():
        assert ask(detector).says == UNKNOWN, detector
    with pytest.raises(kernel.UnknownSyscall, match="clone3"):
        kernel.syscall("clone3")


@pytest.mark.parametrize(
    "detector",
    ["syscall:reboot", "syscallflag:reboot:1", "syscallflag:statmount:BY", "prctl:PR_X", "nsioctl:X", "pidfdioctl:X",
     "landlock_abi:one", "statx:", "statfs:/", "bpfprog:x", "seccomp_flag:", "seccomp_action:x", "lsm:x"],
)  # fmt: skip
def test_detectors_that_make_no_sense_are_unknown(detector: str) -> None:
    """A catalogue of the user's own may hold anything; nothing is called at a guess."""
    assert ask(detector).says == UNKNOWN


@pytest.mark.parametrize(
    ("header", "table"),
    [("x86_64-linux-gnu/asm/unistd_64.h", "x86_64"), ("asm-generic/unistd.h", "aarch64")],
)
def test_numbers_are_those_of_the_headers(header: str, table: str) -> None:
    """Every number that the installed headers have is ours."""
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("the kernel's headers are not installed")
    listed = {name: int(place) for name, place in re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", path.read_text())}
    ours = kernel._TABLES[table]
    assert {name: listed[name] for name in ours if name in listed} == {
        name: ours[name] for name in ours if name in listed
    }
    assert len(set(ours.values())) == len(ours)
