"""What a probe may look at: the live system or a captured tree, and the environment read from it."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from kminer.probe.host import Host
from kminer.probe.reading import below

FILLER = "".join(f"# CONFIG_FILLER_{number} is not set\n" for number in range(400))
CONFIG = f"# Linux/x86 6.12.107 Kernel Configuration\nCONFIG_PSI=y\nCONFIG_OVERLAY_FS=m\n{FILLER}"
CORE = "cgroup.controllers cgroup.max.depth cgroup.procs cgroup.stat cgroup.subtree_control cgroup.threads"
CORE += " cgroup.pressure cpu.pressure io.pressure memory.pressure irq.pressure cpu.stat cpu.stat.local"
BELOW = f"{CORE} cgroup.type cgroup.events cgroup.freeze cgroup.kill memory.current memory.high memory.peak"
BELOW += (
    " memory.swap.current memory.swap.max memory.swap.high pids.max pids.current hugetlb.2MB.max hugetlb.2MB.rsvd.max"
)
KNOWN = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\n"
STATUS = "Name:\tx\nPid:\t7\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nNSpid:\t7\nCapEff:\t0000010000200001\n"
STATUS += "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nnonvoluntary_ctxt_switches:\t3\n"
MOUNTS = "28 1 254:1 / / rw - ext4 /dev/vda rw\n30 28 0:5 / /proc rw - proc proc rw\n"
MOUNTS += "33 28 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"


def capture(folder: Path, files: dict[str, str | bytes]) -> Host:
    """A captured tree with these files; what begins with "-> " is a link."""
    for name, content in files.items():
        file = folder / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            file.symlink_to(content[3:])
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Host(folder)


def debian() -> dict[str, str | bytes]:
    """Files of a host with Debian's 6.12 kernel and cgroup v2."""
    files: dict[str, str | bytes] = {
        "/proc/version": "Linux version 6.12.107-amd64 (gcc) #1 SMP\n",
        "/proc/stat": "cpu 1\ncpu0 1\ncpu1 1\n",
        "/proc/meminfo": "MemTotal:    8000000 kB\n", "/proc/cmdline": "root=/dev/vda quiet\n",
        "/proc/filesystems": KNOWN + "nodev\tcgroup\nnodev\tcgroup2\nnodev\toverlay\n",
        "/proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t60\t1\nblkio\t0\t60\t1\n",
        "/proc/config.gz": gzip.compress(CONFIG.encode()),
        "/proc/kallsyms": "0000000000000000 T _text\n0000000000000000 t cgroup_kill_write\n"
        "0000000000000000 T psi_task_change\n0000000000000000 t ovl_own_xattr_set.isra.0\t[overlay]\n",
        "/proc/cpuinfo": "processor : 0\nflags\t\t: fpu hypervisor\n",
        "/proc/self/status": STATUS, "/proc/self/stat": "7", "/proc/self/maps": "", "/proc/self/mountinfo": MOUNTS,
        "/proc/self/cgroup": "0::/system.slice/a.service\n", "/proc/self/uid_map": "         0          0 4294967295\n",
        "/proc/self/ns/mnt": "-> mnt:[4026531841]", "/proc/self/ns/uts": "-> uts:[4026531838]",
        "/proc/self/ns/pid": "-> pid:[4026531836]", "/proc/self/ns/user": "-> user:[4026532111]",
        "/proc/pressure/cpu": "", "/proc/pressure/io": "", "/proc/pressure/memory": "", "/proc/pressure/irq": "",
        "/proc/sys/kernel/ostype": "Linux\n", "/proc/sys/kernel/osrelease": "6.12.107-amd64\n",
        "/proc/sys/kernel/version": "#1 SMP\n", "/proc/sys/kernel/pid_max": "4194304\n",
        "/proc/sys/kernel/threads-max": "9\n", "/proc/sys/kernel/cap_last_cap": "40\n",
        "/proc/sys/kernel/io_uring_disabled": "2\n", "/proc/sys/vm/overcommit_memory": "0\n",
        "/proc/sys/fs/file-max": "9\n", "/sys/kernel/mm/transparent_hugepage/enabled": "always\n",
        "/sys/kernel/fscaps": "1\n", "/sys/kernel/cgroup/delegate": "cgroup.procs\n",
        "/sys/kernel/cgroup/features": "nsdelegate\nmemory_localevents\n",
        "/sys/kernel/security/lsm": "capability,landlock,yama",
        "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13"\n',
        "/sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc \n",
    }  # fmt: skip
    places = {"": CORE, "/system.slice": BELOW, "/system.slice/a.service": BELOW}
    for place, names in places.items():
        files |= {f"/sys/fs/cgroup{place}/{name}": "" for name in names.split()}
        files[f"/sys/fs/cgroup{place}/cgroup.controllers"] = "cpu memory pids hugetlb\n"
        files[f"/sys/fs/cgroup{place}/cpu.stat"] = "usage_usec 1\nuser_usec 1\n"
    files["/sys/fs/cgroup/system.slice/memory.max"] = "1000000\n"
    files["/sys/fs/cgroup/system.slice/a.service/memory.max"] = "max\n"
    return files


def test_a_captured_tree_tells_its_environment(tmp_path: Path) -> None:
    environment = capture(tmp_path, debian()).environment
    assert not environment.live
    assert (environment.release, environment.version) == ("6.12.107-amd64", (6, 12, 107))
    assert environment.distribution == "Debian GNU/Linux 13"
    assert (environment.uid, environment.no_new_privs, environment.seccomp) == (1000, True, "filter")
    assert environment.capabilities == ("chown", "sys_admin", "checkpoint_restore")
    assert environment.may("sys_admin") and not environment.may("net_admin")
    assert environment.seccomp_filtered
    assert environment.user_map == ((0, 0, 4294967295),)
    assert environment.lsms == ("capability", "landlock", "yama")
    assert (environment.cgroup_mode, environment.own_cgroup) == ("v2", "/system.slice/a.service")
    assert environment.controllers == {"blkio": "none", "cpu": "v2", "hugetlb": "v2", "memory": "v2", "pids": "v2"}
    assert environment.own_controllers == ("cpu", "memory", "pids", "hugetlb")
    assert environment.chroot is False
    assert environment.virtualization == "kvm"
    kinds = environment.initial_namespaces
    assert (kinds["pid"], kinds["user"], kinds["mnt"], kinds["time"]) == (True, False, None, None)


def test_an_empty_tree_is_unknown_with_reasons(tmp_path: Path) -> None:
    environment = capture(tmp_path, {}).environment
    for name in (
        "release",
        "uid",
        "capabilities",
        "seccomp",
        "cgroup_mode",
        "own_cgroup",
        "lsms",
        "chroot",
        "container",
    ):
        assert getattr(environment, name) is None
        assert environment.unknown[name]
    assert environment.seccomp_filtered


def test_links_never_leave_the_tree(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside")
    links = {"/a": "-> ../../secret", "/b": f"-> {outside}", "/c": "-> /d/e", "/d/e": "inside", "/up/x": "-> ../d/./e",
             "/loop": "-> loop"}  # fmt: skip
    host = capture(tmp_path / "tree", dict(links))
    for name in ("/a", "/b", "/../secret"):
        with pytest.raises(OSError):
            host.read(name)
    assert host.read("/c") == host.read("/up/x") == host.read("/../d/../d//e") == "inside"
    with pytest.raises(OSError) as caught:
        host.read("/loop")
    assert caught.value.errno == errno.ELOOP
    assert below(str(tmp_path), "/../..").rstrip("/") == str(tmp_path)


def test_only_regular_files_are_read_and_no_more_than_asked_for(tmp_path: Path) -> None:
    host = capture(tmp_path, {"/big": "x" * 5000, "/binary": b"\xff\0\x80", "/folder/file": ""})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name, number in {"/big": errno.EFBIG, "/folder": errno.EISDIR, "/pipe": errno.EINVAL, "/null": errno.ENOENT,
                         "/a\0b": errno.EINVAL, "/missing": errno.ENOENT}.items():  # fmt: skip
        with pytest.raises(OSError) as caught:
            host.read(name, limit=1000)
        assert caught.value.errno == number, name
        assert caught.value.filename == name
    assert host.read("/binary") == "\ufffd\0\ufffd"


def test_a_missing_file_is_told_from_one_that_may_not_be_seen(tmp_path: Path) -> None:
    host = capture(tmp_path, {"/file": "", "/link": "-> nowhere"})
    assert (host.trouble("/file"), host.trouble("/link")) == (0, 0)
    assert host.trouble("/missing") == host.trouble("/file/below") == errno.ENOENT
    assert host.trouble("/" + "x" * 300) == errno.ENAMETOOLONG
    assert not host.exists("/" + "x" * 300)


def test_the_configuration_is_that_of_the_running_kernel(tmp_path: Path) -> None:
    files = {"/proc/sys/kernel/osrelease": "6.12.107-amd64\n", "/boot/config-6.1.0": CONFIG}
    host = capture(tmp_path / "other", dict(files))
    assert host.config is None and "/proc/config.gz" in host.config_from
    host = capture(tmp_path / "own", files | {"/boot/config-6.12.107-amd64": CONFIG})
    assert host.config == {"PSI": "y", "OVERLAY_FS": "m"} and host.config_from == "/boot/config-6.12.107-amd64"
    wrong = CONFIG.replace("6.12.107", "5.10.1")
    host = capture(tmp_path / "wrong", files | {"/boot/config-6.12.107-amd64": wrong})
    assert host.config is None and "another kernel" in host.config_from


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b", b"no gzip", gzip.compress(b"nothing here\n", mtime=0), b"\0" * 5000],
    ids=["empty", "cut", "no gzip", "nothing in it", "zeros"],
)  # fmt: skip
def test_a_useless_configuration_is_none(tmp_path: Path, content: bytes) -> None:
    host = capture(tmp_path, {"/proc/config.gz": content})
    assert host.config is None
    assert "/proc/config.gz" in host.config_from


def test_a_configuration_cut_short_says_so_and_the_whole_one_is_preferred(tmp_path: Path) -> None:
    packed = gzip.compress(CONFIG.encode() + os.urandom(30000).hex().encode())
    files: dict[str, str | bytes] = {"/proc/config.gz": packed[:9000], "/proc/sys/kernel/osrelease": "6.12.107-amd64\n"}
    host = capture(tmp_path / "cut", files)
    assert host.config is not None and host.config["PSI"] == "y"
    assert "cut short" in host.kconfig.cut
    host = capture(tmp_path / "whole", files | {"/lib/modules/6.12.107-amd64/config": CONFIG})
    assert host.config_from.startswith("/lib/modules") and not host.kconfig.cut
    assert capture(tmp_path / "few", {"/proc/config.gz": gzip.compress(b"CONFIG_PSI=y\n")}).kconfig.cut


def test_a_configuration_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    host = capture(tmp_path, {"/proc/config.gz": gzip.compress(b"\n" * (20 << 20))})
    assert host.config is None


def test_hybrid_hierarchies_are_told_apart(tmp_path: Path) -> None:
    mounts = MOUNTS.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
    mounts += r"40 28 0:9 / /sys/fs/cgroup/memory\040x rw - cgroup cgroup rw,memory" + "\n"
    cgroup = "4:memory:/a\n3:name=systemd:/b\n2:cpu,cpuacct:/\n0::/\n"
    host = capture(tmp_path, {"/proc/self/mountinfo": mounts, "/proc/self/cgroup": cgroup})
    assert host.environment.cgroup_mode == "hybrid"
    assert host.environment.own_cgroups == {"memory": "/a", "name=systemd": "/b", "cpu": "/", "cpuacct": "/"}
    assert host.hierarchies.bound("memory") == "cgroup v1 hierarchy at /sys/fs/cgroup/memory x"
    assert "not mounted" in host.hierarchies.bound("cpu")
    assert host.hierarchies.bound("pids") == ""


def test_a_root_without_a_mount_is_a_chroot(tmp_path: Path) -> None:
    host = capture(tmp_path, {"/proc/self/mountinfo": "30 28 0:5 / /proc rw - proc proc rw\n"})
    assert host.environment.chroot is True


def test_leftovers_of_an_image_do_not_make_a_container(tmp_path: Path) -> None:
    mark = {"/.dockerenv": ""}
    inside = {"/proc/self/ns/pid": "-> pid:[4026532222]", "/proc/self/ns/mnt": "-> mnt:[4026532221]"}
    assert capture(tmp_path / "inside", {**mark, **inside}).environment.container == "docker"
    initial = {"/proc/self/ns/pid": "-> pid:[4026531836]", "/proc/self/ns/mnt": "-> mnt:[4026531832]"}
    assert capture(tmp_path / "outside", {**mark, **initial}).environment.container == "none"


def test_a_kernel_without_seccomp_filters_nothing(tmp_path: Path) -> None:
    status = "".join(line for line in STATUS.splitlines(keepends=True) if not line.startswith("Seccomp"))
    host = capture(tmp_path / "whole", {"/proc/self/status": status})
    assert host.environment.seccomp == "disabled" and not host.environment.seccomp_filtered
    host = capture(tmp_path / "cut", {"/proc/self/status": status[:40]})
    assert host.environment.seccomp_filtered


def test_this_host_tells_of_itself() -> None:
    host = Host()
    environment = host.environment
    assert host.live and environment.live
    assert environment.release == os.uname().release
    assert environment.uid == os.geteuid()
    assert set(environment.unknown) >= {name for name in ("chroot", "lsms") if getattr(environment, name) is None}
    assert host.read("/proc/self/status").startswith("Name:")
