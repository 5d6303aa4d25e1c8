"""docs/probe-checks.md: what other programs check has its place in the probe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from kminer.catalogue import load_kernel_features
from kminer.probe.host import Environment
from kminer.probe.run import KINDS
from kminer.records import Feature

PAGE = Path(__file__).resolve().parent.parent / "docs/probe-checks.md"
PROGRAMS = ("moby", "lxc", "k3s", "Kubernetes", "docker info", "podman", "containerd")
UNASKED = "Symbols that are not asked by name"

# What moby's check-config.sh reads, as of moby b985e2313a.
_SYMBOLS = """
NAMESPACES NET_NS PID_NS IPC_NS UTS_NS CGROUPS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_SCHED CPUSETS MEMCG
KEYS VETH BRIDGE BRIDGE_NETFILTER IP_NF_FILTER IP_NF_MANGLE IP_NF_TARGET_MASQUERADE IP6_NF_FILTER IP6_NF_MANGLE
IP6_NF_TARGET_MASQUERADE NETFILTER_XT_MATCH_ADDRTYPE NETFILTER_XT_MATCH_CONNTRACK NETFILTER_XT_MATCH_IPVS
NETFILTER_XT_MARK IP_NF_RAW IP_NF_NAT NF_NAT IP6_NF_RAW IP6_NF_NAT POSIX_MQUEUE DEVPTS_MULTIPLE_INSTANCES NF_NAT_IPV4
NF_NAT_NEEDED CGROUP_BPF USER_NS SECCOMP SECCOMP_FILTER CGROUP_PIDS MEMCG_SWAP MEMCG_SWAP_ENABLED
LEGACY_VSYSCALL_NATIVE LEGACY_VSYSCALL_EMULATE LEGACY_VSYSCALL_NONE MEMCG_KMEM RESOURCE_COUNTERS NETPRIO_CGROUP
CGROUP_NET_PRIO IOSCHED_CFQ CFQ_GROUP_IOSCHED BLK_CGROUP BLK_DEV_THROTTLING CGROUP_PERF CGROUP_HUGETLB NET_CLS_CGROUP
CFS_BANDWIDTH FAIR_GROUP_SCHED IP_NF_TARGET_REDIRECT IP_SCTP IP_VS IP_VS_NFCT IP_VS_PROTO_TCP IP_VS_PROTO_UDP IP_VS_RR
SECURITY_SELINUX SECURITY_APPARMOR NFT_CT NFT_FIB_IPV4 NFT_FIB_IPV6 NFT_FIB NFT_MASQ NFT_NAT NF_TABLES EXT3_FS
EXT3_FS_XATTR EXT3_FS_POSIX_ACL EXT3_FS_SECURITY EXT4_FS EXT4_FS_POSIX_ACL EXT4_FS_SECURITY VXLAN BRIDGE_VLAN_FILTERING
CRYPTO CRYPTO_AEAD CRYPTO_GCM CRYPTO_SEQIV CRYPTO_GHASH XFRM XFRM_USER XFRM_ALGO INET_ESP NETFILTER_XT_MATCH_BPF
INET_XFRM_MODE_TRANSPORT IPVLAN MACVLAN DUMMY NF_NAT_FTP NF_CONNTRACK_FTP NF_NAT_TFTP NF_CONNTRACK_TFTP BTRFS_FS
BTRFS_FS_POSIX_ACL OVERLAY_FS
"""
CHECK_CONFIG = frozenset(_SYMBOLS.split())


@dataclass(frozen=True)
class Row:
    """A check of another program: the symbols it reads, and the names by which the probe answers it."""

    program: str
    text: str
    symbols: tuple[str, ...]
    names: tuple[str, ...]


def read_rows() -> Iterator[Row]:
    program = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            program = line.removeprefix("## ")
        if not line.startswith("| ") or not program.startswith((*PROGRAMS, UNASKED)) or set(line) <= set("| -:"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        named = cells[-1] if program == UNASKED else cells[1]
        if cells[0] not in ("their check", "symbol"):
            yield Row(program, cells[0], tuple(re.findall(r"`([A-Z][A-Z0-9_]+)`", cells[0])), tuple(_quoted(named)))


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


ROWS = list(read_rows())
FEATURES = load_kernel_features()


def symbols_of(feature: Feature) -> set[str]:
    """The symbols that a feature is built by or asks for."""
    asked = [detector.removeprefix("kconfig:") for detector in feature.detectors if detector.startswith("kconfig:")]
    return {symbol for text in (*feature.kconfig, *asked) for symbol in text.split("|")}


def test_every_program_has_its_table() -> None:
    """Each of the programs that people run is on the page."""
    for program in PROGRAMS:
        assert sum(row.program.startswith(program) for row in ROWS) >= 4, program


def test_what_answers_a_check_exists() -> None:
    """The features and the fields of the environment that the page names are there."""
    known = set(FEATURES) | {f"environment.{field.name}" for field in fields(Environment)}
    for row in ROWS:
        assert set(row.names) <= known, row
    more = {name for name in re.findall(r"`((?:req|ns|ovl|cg1|cg2|mnt|sec)\.[a-z0-9_.]+)`", PAGE.read_text("utf-8"))}
    assert more <= known, more - known


def test_no_check_is_without_an_answer() -> None:
    """A row names what answers it, says that it is left out, or refers to another table."""
    page = PAGE.read_text(encoding="utf-8")
    for row in ROWS:
        line = next(line for line in page.splitlines() if line.startswith(f"| {row.text} |"))
        assert row.names or "| left out |" in line or "| the table of " in line, row
        assert not (row.symbols and "| left out |" in line), row


def test_every_symbol_is_asked() -> None:
    """A symbol is asked by a feature of its row; or the page says why it is not, and which feature tells instead."""
    unasked = {symbol: row.names for row in ROWS if row.program == UNASKED for symbol in row.symbols}
    for row in ROWS:
        asked = {symbol for name in row.names if name in FEATURES for symbol in symbols_of(FEATURES[name])}
        for symbol in row.symbols:
            if row.program != UNASKED and symbol not in asked:
                assert symbol in unasked and set(unasked[symbol]) <= set(row.names), (row.program, symbol)


def test_no_symbol_is_excused_that_is_asked() -> None:
    """What stands among the symbols that are not asked by name is asked by none of the features named for it."""
    for row in ROWS:
        if row.program == UNASKED:
            assert row.symbols and row.names
            assert not {s for name in row.names for s in symbols_of(FEATURES[name])} & set(row.symbols), row


def test_all_of_check_config_is_there() -> None:
    """The table of moby's script holds every symbol that the script reads."""
    listed = {symbol for row in ROWS if row.program.startswith("moby") for symbol in row.symbols}
    assert listed == CHECK_CONFIG, listed ^ CHECK_CONFIG


@pytest.mark.parametrize("feature", [f for f in FEATURES.values() if f.id.startswith("req.")], ids=lambda f: f.id)
def test_requirements(feature: Feature) -> None:
    """A feature made for another program's check is on the page, and is asked by detectors that exist."""
    assert feature.id in {name for row in ROWS for name in row.names}
    assert feature.area in ("engine.network", "engine.other")
    assert feature.detectors
    assert {detector.partition(":")[0] for detector in feature.detectors} <= KINDS
