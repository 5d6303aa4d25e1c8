"""The probe as a command: verdicts made of answers, the join with releases, gates, saved hosts, differences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from gitrepo import GitRepo
from syncing import ask, run_sync, sample_source

from kminer import catalogue, places
from kminer.cli import main
from kminer.probe.answers import (
    ABSENT,
    AVAILABLE,
    BLOCKED,
    BOUND,
    CODE,
    COMPILED,
    INTERFACE,
    UNKNOWN,
    USE,
    Answer,
    decide,
    unknown,
)
from kminer.probe.joined import EARLY, KNOWN_BACKPORT, LATER, MISSING, join, version_of
from kminer.probe.run import KINDS
from kminer.records import Feature, Finding

Captured = Callable[..., Path]


def feature(**facts: Any) -> Feature:
    usual: dict[str, Any] = {
        "id": "x.y", "project": "linux", "area": "namespace", "title": "X", "summary": "Y.", "mechanisms": (),
        "since": "5.10", "confidence": "high",
    }  # fmt: skip
    return Feature(**(usual | facts))


def answer(says: str, proves: int, **facts: str) -> Answer:
    return Answer(facts.pop("detector", "file:/x"), says, facts.pop("evidence", f"{says} by {proves}"), proves, **facts)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([answer(AVAILABLE, USE), answer(ABSENT, INTERFACE)], AVAILABLE),
        ([answer(COMPILED, CODE), answer(BLOCKED, USE)], BLOCKED),
        ([answer(COMPILED, CODE), answer(ABSENT, INTERFACE)], COMPILED),
        ([answer(ABSENT, CODE), answer(ABSENT, INTERFACE)], ABSENT),
        ([answer(BOUND, INTERFACE), answer(COMPILED, CODE)], BOUND),
        ([answer(BOUND, INTERFACE), answer(ABSENT, CODE)], ABSENT),
        ([unknown("a:b", "not seen"), answer(COMPILED, CODE)], COMPILED),
        ([unknown("a:b", "not seen"), answer(ABSENT, CODE)], ABSENT),
        ([answer(ABSENT, INTERFACE), answer(AVAILABLE, INTERFACE)], AVAILABLE),
        ([unknown("a:b", "one"), unknown("c:d", "two")], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_the_verdict_of_answers(answers: list[Answer], verdict: str) -> None:
    """Who used it knows best, then who met its interface, then who found its code; what is unknown never counts."""
    found = decide(feature(), answers)
    assert found.verdict == verdict
    assert found.reason and len(found.evidence) == len(answers)


def test_a_verdict_says_why() -> None:
    """Reason, who blocks, errno and every answer are kept; an unknown one has all the reasons."""
    blocked = answer(BLOCKED, USE, detector="unshare:CLONE_NEWUSER", by="user.max_user_namespaces", errno="ENOSPC")
    found = decide(feature(), [answer(COMPILED, CODE), blocked])
    assert (found.by, found.errno, found.detector) == ("user.max_user_namespaces", "ENOSPC", "unshare:CLONE_NEWUSER")
    assert "ENOSPC" in found.evidence[1]
    found = decide(feature(), [unknown("a:b", "one", number=13), unknown("c:d", "two")])
    assert found.reason == "one; two" and found.errno == "EACCES"


@pytest.mark.parametrize(
    ("release", "verdict", "facts", "remark"),
    [
        ("6.1.0-50-cloud-amd64", AVAILABLE, {}, ""),
        ("5.4.1", AVAILABLE, {}, EARLY),
        ("5.4.1", BOUND, {}, ""),
        ("5.4.1", AVAILABLE, {"backports": ("5.4.262",)}, KNOWN_BACKPORT),
        ("5.4.1", AVAILABLE, {"backports": ("5.41.2",)}, EARLY),
        ("5.4.1", ABSENT, {}, LATER),
        ("5.10", ABSENT, {}, MISSING),
        ("5.9.99", ABSENT, {}, LATER),
        ("5.4.1", UNKNOWN, {}, ""),
        ("no numbers", ABSENT, {}, ""),
    ],
)
def test_what_the_version_lets_expect(release: str, verdict: str, facts: dict[str, Any], remark: str) -> None:
    """There before its time, missing though old enough, or as expected; versions are compared as versions."""
    one = feature(**facts)
    assert [j.remark for j in join([one], [Finding("x.y", verdict, "", "", "", "")], release)] == [remark]


def test_versions() -> None:
    """The numbers of a release; None where it has none."""
    assert version_of("6.12.107+deb13-cloud-amd64") == (6, 12, 107)
    assert version_of("") is None and version_of("v6") is None


def test_every_detector_of_the_catalogue_is_known() -> None:
    """No feature asks by a kind of detector that does not exist."""
    kinds = {d.partition(":")[0] for f in catalogue.load_kernel_features().values() for d in f.detectors}
    assert kinds <= KINDS


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    """A captured 6.1 host with cgroup v2, whose memory controller is on in one group."""
    files = {
        "proc/sys/kernel/osrelease": "6.1.0-50-cloud-amd64\n",
        "proc/version": "Linux version 6.1.0-50-cloud-amd64 (x@y) #1 SMP\n",
        "proc/filesystems": "nodev\tcgroup\nnodev\tcgroup2\nnodev\toverlay\n",
        "proc/self/status": "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t0\nNoNewPrivs:\t0\n",
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "proc/sys/kernel/ostype": "Linux\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
        "sys/fs/cgroup/system.slice/cgroup.controllers": "memory pids\n",
        **{
            f"sys/fs/cgroup/system.slice/{name}": "0\n"
            for name in ("cgroup.procs", "cgroup.kill", "cgroup.freeze", "cgroup.stat", "memory.max", "memory.high",
                         "memory.current", "memory.min", "memory.oom.group", "memory.peak", "pids.max", "pids.current")
        },
    }  # fmt: skip
    root = tmp_path / "captured"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def run(database: Path, *arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["--db", str(database), *map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def test_a_captured_host_as_json(captured: Path, database: Path) -> None:
    """The documented form: schema, environment, and a finding for every kernel feature."""
    done = json.loads(run(database, "probe", "--offline-root", captured, "--json").stdout)
    assert (done["schema"], done["environment"]["release"]) == (1, "6.1.0-50-cloud-amd64")
    verdicts = {one["feature"]: one["verdict"] for one in done["findings"]}
    assert verdicts.keys() == catalogue.load_kernel_features().keys()
    assert verdicts["memory.peak"] == verdicts["cg2.kill"] == verdicts["memory.oom.group"] == AVAILABLE
    assert verdicts["memory.reclaim"] == ABSENT, "its siblings are there, it is not"
    assert verdicts["ns.time"] == UNKNOWN, "nothing was captured that tells it"
    for one in done["findings"]:
        assert set(one) == {"feature", "verdict", "reason", "by", "detector", "errno", "evidence"}
        assert one["reason"]
    assert not database.exists()


def test_a_table_that_a_person_can_take_in(captured: Path, database: Path) -> None:
    """A summary by area, then what is worth knowing; --all, --area and --feature show more, or less."""
    short, full = (run(database, "probe", "--offline-root", captured, *more).stdout for more in ((), ("--all",)))
    assert "Linux 6.1.0-50-cloud-amd64" in short and "cgroup.memory" in short
    assert "memory.peak" not in short and "memory.peak" in full
    area = run(database, "probe", "--offline-root", captured, "--all", "--area", "overlayfs").stdout
    assert "ovl.fs" in area and "ns.user" not in area
    one = run(database, "probe", "--offline-root", captured, "--feature", "memory.peak").stdout
    assert "cgfile:memory.peak: available" in one and "highest memory use" in one


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("memory.peak", 0), ("memory.peak,cg2.kill", 0), ("memory.peak,memory.reclaim", 3), ("ns.time", 4),
     ("ns.time,memory.reclaim", 3)],
)  # fmt: skip
def test_a_gate_for_scripts(captured: Path, database: Path, wanted: str, code: int) -> None:
    """--require: 0 all are available, 3 one is not, 4 one could not be found out; the message says which and why."""
    done = run(database, "-q", "probe", "--offline-root", captured, "--require", wanted, code=code)
    assert done.stdout == ""
    for name in wanted.split(",") if code else ():
        assert (name in done.stderr) == (name != "memory.peak")


@pytest.mark.parametrize(
    "arguments",
    [("--feature", "no.such"), ("--require", "memory.peak,no.such"), ("--area", "nowhere"), ("--diff", "a", "b")],
)
def test_what_is_not_known(captured: Path, database: Path, arguments: tuple[str, ...]) -> None:
    """A feature, area or host that is not known is a mistake of the command line or of the database, and said so."""
    code = 1 if arguments[0] == "--diff" else 2
    assert "error:" in run(database, "probe", "--offline-root", captured, *arguments, code=code).stderr


def test_saved_hosts(captured: Path, database: Path, tmp_path: Path) -> None:
    """Findings are saved under a name, asked by queries, replaced by the next probe, and compared."""
    run(database, "probe", "--offline-root", captured, "--save", "old")
    (captured / "sys/fs/cgroup/system.slice/memory.peak").unlink()
    run(database, "probe", "--offline-root", captured, "--save", "new")
    hosts = json.loads(run(database, "query", "hosts", "--format", "json").stdout)
    assert [(row["host"], row["kernel"]) for row in hosts] == [
        ("new", "6.1.0-50-cloud-amd64"), ("old", "6.1.0-50-cloud-amd64"),
    ]  # fmt: skip
    rows = json.loads(run(database, "query", "findings", "--set", "host=new", "--format", "json").stdout)
    assert len(rows) == len(catalogue.load_kernel_features())
    found = next(row for row in rows if row["feature"] == "memory.peak")
    assert found["verdict"] == ABSENT and found["remark"] == MISSING
    difference = json.loads(run(database, "probe", "--diff", "old", "new", "--json").stdout)
    assert [(row["feature"], row["old"], row["new"]) for row in difference] == [("memory.peak", AVAILABLE, ABSENT)]
    file = tmp_path / "new.json"
    file.write_text(run(database, "probe", "--offline-root", captured, "--json").stdout)
    assert "memory.peak" in run(database, "probe", "--diff", "old", file).stdout
    assert "do not differ" in run(database, "probe", "--diff", "new", file).stderr
    run(database, "probe", "--offline-root", captured, "--feature", "ns.time", "--save", "new")
    assert ask(database, "SELECT count(*) FROM findings WHERE host = 'new'") == [(1,)]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"findings": [1]}', "\x00", '{"findings": [{"feature": 1}]}'])
def test_a_file_that_no_probe_printed(captured: Path, database: Path, tmp_path: Path, content: str) -> None:
    """It is named, and what it should be."""
    file = tmp_path / "other.json"
    file.write_text(content)
    assert str(file) in run(database, "probe", "--diff", file, file, code=2).stderr


def test_this_host(database: Path) -> None:
    """The running kernel is probed by whoever runs the tests: every feature gets a verdict with a reason, soon."""
    done = json.loads(run(database, "probe", "--json").stdout)
    assert all(one["reason"] and one["evidence"] is not None for one in done["findings"])
    assert {one["verdict"] for one in done["findings"]} <= {AVAILABLE, COMPILED, BLOCKED, BOUND, ABSENT, UNKNOWN}
    assert sum(one["verdict"] == UNKNOWN for one in done["findings"]) < len(done["findings"]) / 2
    passive = json.loads(run(database, "probe", "--json", "--passive").stdout)
    assert passive["environment"]["release"] == done["environment"]["release"]


KILLER = """
import sys
from kminer.probe import kernel
load, allow, kill = (0x20, 0, 0, 0), (0x06, 0, 0, kernel.SECCOMP_RET_ALLOW), (0x06, 0, 0, 0x80000000)
numbers = [kernel.number(name) for name in ("statmount", "fsopen", "unshare", "bpf", "landlock_create_ruleset")]
jumps = [(0x15, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
program = kernel.FilterProgram([load, *jumps, allow, kill])
kernel.syscall("seccomp", kernel.SECCOMP_SET_MODE_FILTER, 0, program.fprog)
from kminer.cli import main
main(["probe", "--json", "--area", "mount", "--area", "security"])
"""


def test_a_filter_that_kills() -> None:
    """Under a seccomp filter that kills who makes a call, the probe lives, and says of that call what happened."""
    done = subprocess.run([sys.executable, "-c", KILLER], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = {one["feature"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["mnt.statmount"]["verdict"] not in (AVAILABLE, ABSENT)
    assert any("SIGSYS" in line for line in found["mnt.statmount"]["evidence"])
    assert found["sec.pidfd_open"]["verdict"] == AVAILABLE


UNMOUNTED = """
import os, sys
from kminer.probe import kernel
kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
rows = [line.split() for line in open("/proc/self/mountinfo")]
for row in reversed([row for row in rows if "cgroup2" in row[row.index("-") + 1:]]):
    kernel.umount(row[4], 2)
before = open("/proc/self/mountinfo").read()
from kminer.cli import main
try:
    main(["probe", "--json", "--area", "cgroup"])
finally:
    assert open("/proc/self/mountinfo").read() == before
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to unmount cgroup v2")
def test_cgroup_v2_that_is_not_mounted() -> None:
    """Where no hierarchy of v2 is mounted, root looks into one that only a child mounts; nothing stays mounted."""
    done = subprocess.run([sys.executable, "-c", UNMOUNTED], capture_output=True, text=True, check=False, timeout=120)
    if "PermissionError" in done.stderr or "OSError" in done.stderr:
        pytest.skip("this machine does not let cgroup v2 be unmounted")
    assert done.returncode == 0, done.stderr
    found = {one["feature"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["cg2.controllers"]["verdict"] == AVAILABLE
    assert "cgroup2/" in found["cg2.controllers"]["reason"]


def test_the_catalogue_is_listed_and_shown(database: Path) -> None:
    """By project, area and first release; one with all that is known of it, its confidence too."""
    linux = run(database, "features").stdout
    assert "memory.peak" in linux and "docker" not in linux.split("mechanisms")[0]
    late = run(database, "features", "--area", "overlayfs", "--since", "6.12").stdout
    assert "ovl.casefold" in late and "ovl.userxattr" not in late and "memory" not in late
    shown = run(database, "features", "show", "memory.peak").stdout
    assert "cgfile:memory.peak" in shown and "8e20d4b33266" in shown
    assert "low confidence" in run(database, "features", "show", "sec.yama").stdout
    assert "no feature" in run(database, "features", "show", "no.such", code=2).stderr
    rows = json.loads(run(database, "features", "--project", "docker", "--json").stdout)
    assert rows and all(row["project"] == "docker" for row in rows)


def test_the_catalogue_against_the_history(repo: GitRepo, database: Path) -> None:
    """A commit that is held must have the title and the first release that the catalogue gives."""
    commits = [repo.commit({"tracked/a.c": str(n)}, f"Bring {n}\n") for n in range(3)]
    repo.tag("v1.0")
    run_sync(sample_source(project="linux"), repo.path, database)
    folder = places.own("data/features")
    folder.mkdir(parents=True)
    facts = [("agrees", "1.0", "Bring 0"), ("another release", "2.0", "Bring 1"), ("another title", "1.0", "Bring it")]
    repo.commit({"tracked/a.c": "3"}, "Go on\n")
    repo.tag("v1.2")
    run_sync(sample_source(project="linux"), repo.path, database)
    for number, (name, since, title) in enumerate(facts):
        (folder / f"t{number}.toml").write_text(
            f'id = "t{number}"\nproject = "linux"\narea = "x"\ntitle = "T"\nsummary = "S."\nmechanisms = []\n'
            f'since = "{since}"\nconfidence = "high"\n[[commits]]\nid = "{commits[number][:12]}"\ntitle = "{title}"\n'
        )
        assert name
    (folder / "t9.toml").write_text(
        'id = "t9"\nproject = "linux"\narea = "x"\ntitle = "T"\nsummary = "S."\nmechanisms = []\n'
        'since = "1.1"\nconfidence = "high"\n'
    )
    done = run(database, "features", "check", code=1)
    assert "t9" in done.stdout and "no such release: 1" in done.stdout
    assert "t1" in done.stdout and "t2" in done.stdout and "t0" not in done.stdout
    assert "agrees: 1" in done.stdout and "another release: 1" in done.stdout and "another title: 1" in done.stdout
