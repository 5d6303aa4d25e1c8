"""The root file system that a kernel boots into: this Python, kminer with its catalogue, and the kernel's modules."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import lzma
import marshal
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kernels.cpio import Archive
from kernels.fetch import Kernel

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = "/opt/kminer"
MODULES = ("overlay", "erofs", "fuse", "binfmt_misc")
"""Modules that the guest can load, with those that they need."""

_GUEST = Path(__file__).resolve().parent / "guest"
_SCRIPTS = {"init.py": "/init", "modprobe.py": "/sbin/modprobe", "filtered.py": "/lib/guest/filtered.py"}
_NOT_NEEDED = re.compile(
    r"(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|pydoc_data|distutils|unittest|asyncio|venv|site-packages"
    r"|config-.*|__pycache__)$"
)
_EXTENSIONS_NOT_NEEDED = re.compile(r"(_test|xx|_ctypes_test|_tkinter|_curses|readline|nis|_?dbm|_gdbm|_ssl|_hashlib)")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command in the guest: as `uid`, below a seccomp filter that answers `filtered` (an errno's name).

    `modules` says whether the guest loads its modules before, `options` are added to the command.
    """

    name: str
    uid: int = 0
    filtered: str = ""
    modules: bool = True
    options: tuple[str, ...] = ()


def write_image(kernel: Kernel, target: Path, command: Sequence[str], runs: Sequence[Run]) -> None:
    """Write the root file system of a kernel, in which `command` is run as each of `runs` says."""
    archive = Archive()
    _add_python(archive)
    _add_packages(archive)
    modules = _add_kernel(archive, kernel)
    for script, path in _SCRIPTS.items():
        archive.add_file(path, (_GUEST / script).read_bytes(), 0o755)
    orders = {"command": list(command), "home": HOME, "runs": [asdict(run) for run in runs], "modules": modules}
    archive.add_file("/etc/orders.json", json.dumps(orders).encode())
    archive.add_file("/etc/passwd", b"root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/tmp:/bin/false\n")
    archive.add_file("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.add_file("/etc/os-release", b'ID=kminer-guest\nNAME="kminer guest"\n')
    for folder in ("/proc", "/sys", "/dev", "/run", "/root"):
        archive.add_folder(folder)
    archive.add_folder("/tmp", 0o1777)
    with target.open("wb") as file:
        archive.write(file)


def _add_python(archive: Archive) -> None:
    """This interpreter with its standard library as bytecode, where they stand on this machine."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    binaries = [python]
    _add_modules(archive, library, library)
    for file in sorted((library / "lib-dynload").glob("*.so")):
        if not _EXTENSIONS_NOT_NEEDED.match(file.name):
            binaries.append(file)
    for file in binaries:
        archive.add_file(file, file.read_bytes(), 0o755)
    for file in _shared_libraries(binaries):
        archive.add_file(file, file.read_bytes(), 0o755)
    archive.add_link("/usr/bin/python3", python)


def _add_packages(archive: Archive) -> None:
    """kminer with data/, and every package outside the standard library that its probe imports."""
    for name in _imported_packages():
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            _add_modules(archive, origin.parent, Path(HOME) / name)
        else:
            archive.add_file(Path(HOME) / f"{name}.pyc", _bytecode(origin))
    for folder in ("data/features", "queries", "data"):
        for file in sorted((CHECKOUT / folder).glob("*.*")):
            if file.is_file():
                archive.add_file(f"{HOME}/{file.relative_to(CHECKOUT)}", file.read_bytes())


def _imported_packages() -> list[str]:
    """Names of the packages, the standard library's left out, that are loaded when the command line is."""
    code = (
        "import sys, json, importlib; import kminer.cli; import kminer.console\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    return [name for name in json.loads(done.stdout) if not name.startswith("_")]


def _add_modules(archive: Archive, folder: Path, target: Path) -> None:
    for file in sorted(folder.iterdir()):
        if file.is_dir() and not _NOT_NEEDED.match(file.name) and file.name != "lib-dynload":
            _add_modules(archive, file, target / file.name)
        elif file.suffix == ".py":
            archive.add_file(target / f"{file.stem}.pyc", _bytecode(file))
        elif file.suffix in (".so", ".typed", ".json"):
            archive.add_file(target / file.name, file.read_bytes(), 0o755)


def _bytecode(file: Path) -> bytes:
    """Bytecode of a module in a form that Python loads without its source and without asking for its time."""
    code = importlib.machinery.SourceFileLoader(file.stem, str(file)).get_code(file.stem)
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(code)


def _shared_libraries(binaries: Sequence[Path]) -> list[Path]:
    listed = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in sorted(set(re.findall(r"(/\S+) \(0x", listed)))]


def _add_kernel(archive: Archive, kernel: Kernel) -> list[str]:
    """The kernel's configuration and modules; returns the modules' files in the order in which they can be loaded."""
    archive.add_file(f"/boot/config-{kernel.release}", kernel.config.read_bytes())
    place = f"/lib/modules/{kernel.release}"
    archive.add_file(f"{place}/modules.builtin", (kernel.folder / "modules.builtin").read_bytes())
    files = {_module_name(file): file for file in sorted((kernel.folder / "modules").iterdir())}
    order: dict[str, str] = {}
    for name in MODULES:
        for needed, content in _with_needed(name, files):
            if needed not in order:
                order[needed] = f"{place}/kernel/{needed}.ko"
                archive.add_file(order[needed], content)
    return list(order.values())


def _module_name(file: Path) -> str:
    return file.name.partition(".")[0].replace("-", "_")


def _with_needed(name: str, files: dict[str, Path]) -> Iterator[tuple[str, bytes]]:
    """A module after those that it needs, each with its content; nothing where the kernel has no such module."""
    if name not in files:
        return
    packed = files[name].read_bytes()
    content = lzma.decompress(packed) if files[name].suffix == ".xz" else packed
    needed = re.search(rb"\0depends=([^\0]*)\0", content)
    for other in needed[1].decode().split(",") if needed and needed[1] else ():
        yield from _with_needed(other.replace("-", "_"), files)
    yield name, content
