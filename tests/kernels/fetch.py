"""Kernels of Debian, from the mirror that this machine's apt uses, kept in a cache folder."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kminer import places

SUITES = {
    "5.10": ("bullseye-security",),
    "6.1": ("bookworm-security", "bookworm"),
    "6.12": ("trixie", "trixie-security"),
    "7.2": ("sid", "forky"),
    "7.3": ("trixie-backports", "sid", "forky"),
}
"""The series of kernels that can be asked for, each with the suites that carry it."""

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PARTS = re.compile(r"linux-(?:base|binary|modules)-[^ ,]*cloud-amd64")
_WANTED = re.compile(
    r"(?:usr/)?(?:boot|lib/modules/[^/]+)/(vmlinuz|config|modules\.builtin$|kernel/(?:fs|lib|crypto)/)"
)
_CONFIG = """
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/sources";
Dir::State "{folder}/state";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}/log";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
Acquire::Retries "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


class CannotFetchError(Exception):
    """A kernel cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel in the cache: `version` is the source's ("6.1.192"), `release` what uname says of it."""

    series: str
    version: str
    release: str
    package: str
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def config(self) -> Path:
        return self.folder / "config"


def cache_folder() -> Path:
    """Where kernels are kept: KMINER_KERNELS in the environment, else a folder of the user's cache."""
    named = os.environ.get("KMINER_KERNELS")
    return Path(named) if named else places.cache() / "kernels"


def get(series: str, folder: Path, prefer: Sequence[str] = ()) -> Kernel:
    """The kernel of a series, out of the cache or fetched into it: one of the versions preferred, else the newest.

    Raises CannotFetchError where there is none of that series to be had.
    """
    place = folder / series
    about = place / "kernel.json"
    if not about.exists():
        _fetch(series, place, prefer)
    return Kernel(**json.loads(about.read_text()), folder=place)


def _fetch(series: str, place: Path, prefer: Sequence[str]) -> None:
    if platform.machine() != "x86_64" or not shutil.which("apt-get"):
        raise CannotFetchError("kernels are fetched by apt, for x86-64 only")
    place.parent.mkdir(parents=True, exist_ok=True)
    problems = []
    for suite in SUITES[series]:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{series}-") as temporary:
            try:
                _fetch_from(suite, series, Path(temporary), prefer)
            except CannotFetchError as error:
                problems.append(f"{suite}: {error}")
                continue
            _move(Path(temporary) / "kernel", place)
            return
    raise CannotFetchError(f"no kernel {series} to be had ({'; '.join(problems)})")


def _move(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not (place / "kernel.json").exists():
            raise


def _fetch_from(suite: str, series: str, folder: Path, prefer: Sequence[str]) -> None:
    config = _configure(suite, folder)
    _run(config, "apt-get", "update", "--error-on=any")
    packages = _find_packages(config, series)
    if not packages:
        raise CannotFetchError("it carries none")
    best = max(packages, key=lambda package: (_upstream(package) in prefer, _sortable(package["Version"])))
    parts = [best["Package"], *dict.fromkeys(_PARTS.findall(best.get("Depends", "")))]
    _run(config, "apt-get", "download", *(f"{part}={best['Version']}" for part in parts), cwd=folder)
    target = folder / "kernel"
    for archive in sorted(folder.glob("*.deb")):
        _unpack(archive, target)
    release = best["Package"].removeprefix("linux-image-")
    about = Kernel(series, _upstream(best), release, f"{best['Package']} {best['Version']}", target)
    kept = {name: value for name, value in asdict(about).items() if name != "folder"}
    (target / "kernel.json").write_text(json.dumps(kept))


def _configure(suite: str, folder: Path) -> Path:
    """Settings by which apt sees nothing but one suite, and writes nowhere but into `folder`."""
    site = _find_site(suite)
    for name in ("sources", "state/lists/partial", "cache/archives/partial", "log"):
        (folder / name).mkdir(parents=True)
    lines = ["Types: deb", f"URIs: {site}", f"Suites: {suite}", "Components: main", "Architectures: amd64"]
    lines += [f"Signed-By: {_KEYS}"] if _KEYS.exists() else []
    (folder / "sources" / "kernels.sources").write_text("\n".join(lines) + "\n")
    config = folder / "apt.conf"
    config.write_text(_CONFIG.format(folder=folder))
    return config


def _find_site(suite: str) -> str:
    """The mirror of Debian (of its security updates for such a suite) that this machine uses."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)\t$(RELEASE)\t$(COMPONENT)\t$(ORIGIN)"],
        capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    for site, release, component, origin in (line.split("\t") for line in listed):
        same = release.endswith("-security") == suite.endswith("-security")
        if (component, origin) == ("main", "Debian") and same:
            return site
    raise CannotFetchError("apt's sources name no mirror of Debian for it")


def _find_packages(config: Path, series: str) -> list[dict[str, str]]:
    shown = _run(config, "apt-cache", "show", r"^linux-image-[0-9]+[.][0-9]+[.][0-9].*-cloud-amd64$", fails=True)
    packages = [dict(re.findall(r"^([A-Z][\w-]*): (.*)$", text, re.M)) for text in shown.split("\n\n")]
    return [package for package in packages if package.get("Package") and _of_series(package, series)]


def _of_series(package: dict[str, str], series: str) -> bool:
    return f"{_upstream(package)}.".startswith(f"{series}.") and "~rc" not in package["Version"]


def _upstream(package: dict[str, str]) -> str:
    return package["Version"].partition("-")[0]


def _sortable(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _unpack(archive: Path, target: Path) -> None:
    """Unpack of a package what booting needs: the image as vmlinuz, its config, modules of file systems."""
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as members:
        for member in members:
            found = _WANTED.match(member.name.removeprefix("./"))
            if not found or not member.isfile():
                continue
            whole = found[1].startswith("kernel/")
            file = target / "modules" / Path(member.name).name if whole else target / found[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            content = members.extractfile(member)
            assert content is not None
            file.write_bytes(content.read())
    if process.returncode:
        raise CannotFetchError(f"{archive.name} cannot be unpacked")


def _run(config: Path, *words: str, cwd: Path | None = None, fails: bool = False) -> str:
    command = [words[0], "-c", str(config), *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode and not fails:
        said = (done.stderr.strip() or done.stdout.strip() or "no word of why").splitlines()[-1]
        raise CannotFetchError(f"{' '.join(words[:2])}: {said}")
    return done.stdout
