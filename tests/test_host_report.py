"""The report `host`: what a probed host has and lacks, why, and what later kernels bring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from test_reports import HOSTILE, change, fill, key, shown, written

from kminer import catalogue, queries
from kminer.errors import UsageError
from kminer.probe.answers import VERDICTS
from kminer.records import Feature
from kminer.store import ties
from kminer.store.database import open_for_reading, open_for_writing
from kminer.store.findings import save_host
from kminer.store.writer import transaction

EARLY = "newer than this kernel's version: a backport or a vendor's patch"
MISSING = "this kernel is new enough: configuration or policy"
UNDATED = "the catalogue does not know its first release"
V1 = "cgroup v1 hierarchy at /sys/fs/cgroup/cpu"
ENVIRONMENT: dict[str, Any] = {
    "live": True, "release": "6.1.0-13-amd64", "build": "#1 SMP Debian 6.1.55-1", "version": [6, 1, 0],
    "machine": "x86_64", "distribution": "Debian GNU/Linux 12 (bookworm)", "uid": 1000, "capabilities": [],
    "seccomp": "filter", "no_new_privs": True, "user_map": [[0, 1000, 1]],
    "initial_namespaces": {"user": False, "net": False, "uts": True, "time": None}, "chroot": False,
    "lsms": ["capability", "apparmor"], "cgroup_mode": "hybrid",
    "controllers": {"cpu": "/sys/fs/cgroup/cpu", "memory": "v2", "misc": "none", "rdma": "disabled"},
    "own_cgroup": "/user.slice", "own_cgroups": {"cpu": "/"}, "own_controllers": ["memory"], "delegated": False,
    "virtualization": "kvm", "container": None, "unknown": {"container": "nothing tells of it"},
}  # fmt: skip


def finding(
    feature: str, verdict: str = "available", reason: str = "it answers", by: str = "", remark: str = "",
    detector: str = "file:/x", errno: str = "",
) -> dict[str, Any]:  # fmt: skip
    """A finding as `kminer probe --json` has it, with its remark."""
    return {
        "feature": feature, "verdict": verdict, "reason": reason, "by": by, "detector": detector, "errno": errno,
        "evidence": [], "remark": remark,
    }  # fmt: skip


FINDINGS = (
    finding("memory.v2"),
    finding("ovl.userxattr"),
    finding("mnt.statmount", reason="statmount answers EINVAL", remark=EARLY),
    finding("memory.mglru", "absent", "it is not configured", remark=MISSING),
    finding("io.latency", "absent", "CONFIG_BLK_CGROUP_IOLATENCY is not set", remark=MISSING),
    finding("cpu.uclamp", "absent", "CONFIG_UCLAMP_TASK_GROUP is not set", remark=MISSING),
    finding("req.vlan", "absent", "CONFIG_VLAN_8021Q is not set", remark=UNDATED),
    finding("ns.user", "blocked", "unshare answers EPERM", "a seccomp filter", errno="EPERM"),
    finding("cpu.max", "bound-elsewhere", "the cpu controller is on v1", V1),
    finding("cpu.weight", "bound-elsewhere", "the cpu controller is on v1", V1),
    finding("mnt.idmapped", "compiled-in", "it was not tried"),
    finding("cg1.blkio_throttle", "compiled-in", "CONFIG_BLK_DEV_THROTTLING=y", detector="kconfig:BLK_DEV_THROTTLING"),
    finding("ovl.index", "unknown", "fsopen answers EPERM"),
    finding("ovl.xino", "unknown", "fsopen answers EPERM"),
    finding("ns.listns", "absent", "listns answers ENOSYS", remark="comes with a later kernel"),
    finding("mnt.fchroot", "unknown", "fchroot answers EPERM"),
)


@cache
def shipped() -> tuple[list[Feature], dict[tuple[str, str], str]]:
    """The features of the catalogue, and the days of releases by project and version."""
    dates = catalogue.load_release_dates().items()
    return list(catalogue.load_features().values()), {(p, one.version): one.date for p, of_it in dates for one in of_it}


def save(
    database: Path, name: str = "web1", findings: Sequence[dict[str, Any]] = FINDINGS, listed: bool = True, **known: Any
) -> Path:
    """Save a host; with `listed` the table of features is filled as a sync does."""
    environment = ENVIRONMENT | known
    with open_for_writing(database) as db, transaction(db):
        probed = {"taken_at": "2026-11-01T10:00:00Z", "environment": environment, "findings": findings}
        save_host(db, name, probed, {one["feature"]: one["remark"] for one in findings})
        if listed:
            ties.save_features(db, *shipped())
    return database


def name_feature(database: Path, feature: str) -> None:
    """Give the database a history of an engine whose release 24.0.0 names the feature in a commit."""
    fill(database, "docker", [change(1, "daemon: use it")], {"v24.0.0": range(0, 10)})
    with open_for_writing(database) as db:
        (commit,) = db.execute("SELECT id FROM changes WHERE key = ?", (key(1),)).fetchone()
        db.execute("INSERT INTO feature_mentions VALUES (?, ?, 'name', 'it')", (commit, feature))


def report(database: Path, host: str = "web1", out: str = "out") -> str:
    """The report's Markdown."""
    return written(database, "host", {"host": host}, out)[0]


def part(text: str, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def counts(text: str) -> dict[str, int]:
    """The table of numbers."""
    rows = re.findall(r"^\| (.+?) \| \**([\d,]+)\** \|$", part(text, "In numbers"), re.MULTILINE)
    return {re.sub(r"\*\*|:.*", "", name): int(count) for name, count in rows}


_MADE: list[tuple[str, dict[str, str]]] = []


@pytest.fixture
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The report on a host of every verdict, and its pictures; made once."""
    if not _MADE:
        _MADE.append(written(save(tmp_path_factory.mktemp("host") / "k.db"), "host", {"host": "web1"}))
    return _MADE[0]


@pytest.fixture
def text(made: tuple[str, dict[str, str]]) -> str:
    """The report's Markdown."""
    return made[0]


def test_the_host_is_told(text):
    """Kernel, who asked, what is around, where controllers are bound, and what was not found out."""
    told = part(text, "The host")
    assert "| kernel | 6.1.0-13-amd64 x86_64, \\#1 SMP Debian 6.1.55-1 |" in told
    assert "| asked | 2026-11-01T10:00:00Z, as user 1000 in a user namespace, with no capabilities |" in told
    assert "| container | not known |" in told and "| virtualization | kvm |" in told
    assert "| seccomp | filter; no_new_privs is set |" in told
    assert "| security modules | capability, apparmor |" in told
    assert "| namespaces | of its own: net, user; not known of: time |" in told
    assert "| own cgroup on v2 | `/user.slice`, with memory; whoever asked may make no group in it |" in told
    assert "| cpu | cgroup v1 at `/sys/fs/cgroup/cpu` |" in told and "| memory | cgroup v2 |" in told
    assert "| misc | no hierarchy |" in told and "| rdma | disabled |" in told
    assert "- container: nothing tells of it" in told and "**A captured host.**" not in text


def test_a_host_of_which_little_is_known(database):
    """Nothing is said that is not known, and a captured tree is called one."""
    unknown = dict.fromkeys(ENVIRONMENT) | {"live": False, "release": None}
    text = report(save(database, **unknown))
    told = part(text, "The host")
    assert "**A captured host.**" in text and "a kernel of unknown release was asked" in text
    for name in ("kernel", "distribution", "container", "virtualization", "seccomp", "security modules", "namespaces"):
        assert f"| {name} | not known" in told
    assert "by an unknown user, capabilities not known" in told and "None" not in text
    assert "## What later kernels bring" not in text


def test_numbers_are_those_of_the_queries(text, database):
    """Counts agree with the query that is named and with the query `hosts`; the picture shows the same."""
    save(database)
    rows = list(queries.run(open_for_reading(database), queries.find("report-host-findings"), {"host": "web1"}).dicts())
    (host,) = queries.run(open_for_reading(database), queries.find("hosts"), {}).dicts()
    found = counts(text)
    for verdict in VERDICTS:
        assert found[verdict] == host[verdict.replace("-", "_")] == sum(row["verdict"] == verdict for row in rows)
    assert found["all that were asked"] == len(FINDINGS) == 16
    assert found["there before their time"] == host["before_their_time"] == 1
    assert found["absent, though the kernel is new enough"] == host["missing"] == 3
    assert found["absent, and their first release is not known"] == 1
    gone = {row["feature"] for row in rows if row["later"] and row["verdict"] not in ("available", "compiled-in")}
    assert found["that later kernels bring"] == len(gone) > 20 and {"ns.listns", "mnt.fchroot"} <= gone
    assert "mnt.statmount" not in gone
    assert "`kminer query report-host-findings --set host=web1`" in text


def test_the_picture_is_the_one_linked(made):
    """One picture, of areas by verdict, in words too."""
    text, pictures = made
    assert {address for address in shown(text).addresses if address.endswith(".svg")} == set(pictures)
    assert set(pictures) == {"host-areas.svg"}
    assert "overlayfs, unknown: 2" in pictures["host-areas.svg"] and "cgroup.cpu: 3" in pictures["host-areas.svg"]
    assert "| overlayfs | 1 |  |  |  |  | 2 | 3 |" in part(text, "In numbers")


def test_each_verdict_has_its_place(text):
    """With the reason, what stands in the way, and how sure a first release is where it is not."""
    early = part(text, "There before its time")
    assert re.search(r"\| 6\.8 \| `mnt\.statmount` .* \| available \| statmount answers EINVAL \| newer than", early)
    missing = part(text, "Missing, though the kernel is new enough")
    assert "| 5.4 (low confidence) | CONFIG_UCLAMP" in missing
    assert re.search(r"`memory\.mglru` .* \| 6\.1 \| it is not configured \|", missing) and "req.vlan" not in missing
    assert "`req.vlan` VLAN devices" in part(text, "Absent, first release not known")
    blocked = part(text, "Blocked")
    assert re.search(r"\| a seccomp filter \| `ns\.user` .* \| unshare answers EPERM \| EPERM \|", blocked)
    assert f"| {V1} | 2 | `cpu.max` since 4.15, `cpu.weight` since 4.15 |" in part(text, "Bound elsewhere")
    compiled = part(text, "In the kernel, but not seen at work")
    assert "`mnt.idmapped`" in compiled and "blkio_throttle" not in compiled and "1 more are built in" in compiled
    unknown = part(text, "Could not be found out")
    assert re.search(r"\| fsopen answers EPERM \| 2 \| `ovl\.index` [^`]*; `ovl\.xino` ", unknown)


def test_later_kernels_by_release(text):
    """Oldest release first, by number, with its day; what is here already is left out."""
    body = part(text, "What later kernels bring")
    releases = re.findall(r"\*\*(\d+\.\d+)\*\* \((\d{4})-", body)
    numbers = [tuple(map(int, version.split("."))) for version, _ in releases]
    assert numbers == sorted(numbers) and numbers[0] > (6, 1) and len(numbers) > 8
    assert re.search(r"`ns\.listns` \*\*listns.*\| high \| absent \|", body)
    assert re.search(r"`mnt\.fchroot` .* \| unknown \|", body) and "| not asked |" in body
    assert "`mnt.statmount` " not in body


def test_engines_by_the_catalogue(text):
    """Without an engine's history one sentence says so, and the catalogue tells who names what."""
    body = part(text, "What engines use and this host lacks")
    assert "No history of an engine in this database" in body and "`kminer sync docker`" in body
    used = {feature.id: feature.used_by for feature in shipped()[0]}
    engine, release = used["cpu.max"][0]
    assert re.search(rf"`cpu\.max` .* \| bound-elsewhere \| .* \| {engine} {re.escape(release)} \|", body)
    assert "memory.v2" not in body and "ovl.index" not in body


def test_engines_by_their_history(database):
    """With one, the first release that names a feature stands with its day, and no other source is asked."""
    save(database)
    name_feature(database, "io.latency")
    text = report(database)
    body = part(text, "What engines use and this host lacks")
    assert "those of docker whose" in body and re.search(r"`io\.latency` .* \| docker 24\.0\.0 \(2008-\d\d-", body)
    assert "cpu.max" not in body and counts(text)["named by an engine, but absent, blocked or bound elsewhere"] == 1
    save(database, findings=[finding("io.latency")])
    assert "Nothing: whatever they name is here" in report(database, out="two")


def test_without_a_table_of_features(database, made):
    """Before any sync the catalogue fills in: only one sentence differs."""
    text, pictures = written(save(database, listed=False), "host", {"host": "web1"})
    (sentence,) = re.findall(r"^The table `features` of this database.*\n?", text, re.MULTILINE)
    assert re.sub(r"\n{3,}", "\n\n", text.replace(sentence, "")) == made[0] and pictures == made[1]
    assert "lacks" in sentence


def test_features_that_nobody_knows(database):
    """A finding on a feature that neither table nor catalogue holds is counted and shown by its id."""
    text = report(save(database, findings=[finding("own.thing", "absent", "no file")], listed=False))
    assert "| (no area) |  |  |  |  | 1 |  | 1 |" in text and counts(text)["absent"] == 1


def test_a_host_without_findings(database):
    """It says so; no picture, no empty section; what later kernels bring is still known."""
    text, pictures = written(save(database, findings=()), "host", {"host": "web1"})
    assert "No finding is saved of this host" in text and not pictures
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
        "The host", "What later kernels bring", "How to read it", "What it is made of", "Also asked"
    ]  # fmt: skip


def test_sections_without_content_are_left_out(database):
    """Where all is well there is little to read."""
    text = report(save(database, findings=[finding("memory.v2")], release="9.9.1"))
    assert "Nothing that the catalogue knows of" in part(text, "What later kernels bring")
    assert not re.search(r"^## (There|Missing|Absent|Blocked|Bound|In the kernel|Could)", text, re.MULTILINE)


def test_unknown_host_names_those_there_are(database):
    """An error with the saved hosts, the likest first; control characters are shown, and nothing is written."""
    for name in ("db1", "web1", "web2"):
        save(database, name, listed=False)
    with pytest.raises(UsageError, match="'web3' is not a host that was saved") as error:
        report(database, "web3")
    assert re.search(r"Saved are web[12], web[12], db1; `kminer query hosts`", str(error.value.next))
    with pytest.raises(UsageError) as error:
        report(database, "\x1b[31m\u202e%")
    assert not re.search("[\x1b\u202e]", str(error.value) + str(error.value.where))
    assert not (database.parent / "out").exists()


def test_no_host_at_all(database):
    """The error says how to save one; without the setting it says what is needed."""
    fill(database)
    with pytest.raises(UsageError) as error:
        report(database, "web1")
    assert "kminer probe --save NAME" in str(error.value.next)
    with pytest.raises(UsageError, match="needs --set host="):
        written(database, "host")


def test_what_hosts_say_cannot_become_markup(database):
    """Names, reasons, and the environment are shown as written, in Markdown and picture."""
    bad = [
        finding(f"x{number}{HOSTILE}", verdict, HOSTILE, HOSTILE, remark, HOSTILE, HOSTILE)
        for number, (verdict, remark) in enumerate(
            [*((verdict, "") for verdict in VERDICTS), ("absent", MISSING), ("absent", UNDATED), ("available", EARLY)]
        )
    ]
    known = {
        "release": HOSTILE, "build": HOSTILE, "machine": HOSTILE, "distribution": HOSTILE, "lsms": [HOSTILE],
        "controllers": {HOSTILE: HOSTILE, "cpu": f"/{HOSTILE}"}, "own_cgroup": HOSTILE, "own_controllers": [HOSTILE],
        "container": HOSTILE, "virtualization": HOSTILE, "seccomp": HOSTILE, "unknown": {HOSTILE: HOSTILE},
        "initial_namespaces": {HOSTILE: False}, "cgroup_mode": HOSTILE,
    }  # fmt: skip
    with open_for_writing(save(database, HOSTILE, bad, **known)) as db:
        db.execute("UPDATE features SET area = ?, title = ?, since = '9.9', date = ?, confidence = ?", (HOSTILE,) * 4)
    text, pictures = written(database, "host", {"host": HOSTILE})
    page = shown(text)
    assert page.tags <= {
        "h1", "h2", "p", "strong", "code", "em", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "img",
        "details", "summary", "blockquote",
    }  # fmt: skip
    assert page.addresses == {"host-areas.svg"}
    assert not re.search("[\x1b\u202e]", text + "".join(pictures.values()))
    assert "alert(1)" in page.text and "<script" not in pictures["host-areas.svg"]


def test_same_database_gives_the_same_bytes(database, made):
    """Written again, and from a database made again in another order: byte for byte."""
    save(database, "other")
    save(database, findings=FINDINGS[::-1])
    again = written(database, "host", {"host": "web1"}, "one")
    assert again == written(database, "host", {"host": "web1"}, "two") == made


def test_in_the_demo(database):
    """The host is real, the history is not: what engines name comes from the catalogue, and it is called demo data."""
    save(database)
    name_feature(database, "io.latency")
    with open_for_writing(database) as db:
        db.execute("UPDATE sources SET demo = 1")
    text = report(database)
    assert "**Demo data.**" in text and "docker 24.0.0" not in text
    assert "`kminer sync docker`" not in text
