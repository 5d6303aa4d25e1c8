"""The commands about features and hosts: probe, features."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kminer.command import database_of, open_store, terminal_of
from kminer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kminer.console import Terminal
    from kminer.probe.joined import Joined
    from kminer.probe.run import Probed
    from kminer.records import Feature

@click.command()
@click.option("--all", "everything", is_flag=True, help="Every feature, not only what is worth knowing.")
@click.option("--area", "areas", multiple=True, help="Only this area, e.g. overlayfs, or a family: cgroup.")
@click.option("--feature", "names", metavar="ID", multiple=True, help="Only this feature, with all its evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print environment and findings as JSON (docs/probe.md).")
@click.option("--require", metavar="ID[,ID]", multiple=True,
              help="Exit with 3 unless all these are available or built in, with 4 if that is not known.")  # fmt: skip
@click.option("--save", metavar="NAME", help="Keep the findings in the database under NAME.")
@click.option("--diff", nargs=2, metavar="A B", help="Compare two saved hosts or JSON files instead of probing.")
@click.option("--offline-root", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Read a captured tree with proc/, sys/ and boot/ in it; nothing is tried.")  # fmt: skip
@click.option("--passive", is_flag=True, help="Only read files: call nothing, try nothing.")
@click.option("--as-root-too", is_flag=True, help="As root, also try what needs a cgroup or a mount of its own.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds of one trial.")
@click.pass_context
def probe(
    context: click.Context, everything: bool, areas: tuple[str, ...], names: tuple[str, ...], as_json: bool,
    require: tuple[str, ...], save: str | None, diff: tuple[str, str] | None, offline_root: Path | None, passive: bool,
    as_root_too: bool, timeout: float,
) -> None:  # fmt: skip
    """Ask the running kernel what it supports of namespaces, cgroups, overlayfs, mounts and container security.

    Reads first, then makes calls that can do no harm, then tries in children of its own; it loads no module, writes
    to no cgroup of the host and leaves nothing behind. It works for any user and inside containers. Each verdict
    (available, compiled-in, blocked, bound-elsewhere, absent, unknown) says why.
    """
    from kminer import catalogue
    from kminer.probe.host import Host
    from kminer.probe.joined import join
    from kminer.probe.run import probe as probe_host

    terminal = terminal_of(context)
    if diff is not None:
        _show_difference(context, terminal, *diff, as_json)
        return
    features = catalogue.load_kernel_features()
    required = [name for group in require for name in group.split(",") if name]
    chosen = _choose(features, areas, (*names, *required) if names or required else ())
    host = Host(offline_root) if offline_root else Host()
    probed = probe_host(chosen, host, only_passive=passive, as_root_too=as_root_too, timeout=timeout)
    joined = join(chosen, probed.findings, probed.environment.release)
    if save:
        _save(context, save, probed, joined)
    if as_json:
        terminal.json(probed.as_json())
    elif terminal.verbosity >= 0 or not required:
        _show(terminal, probed, joined, everything, bool(names))
    context.exit(_gate(terminal, required, joined))


def _choose(features: Mapping[str, Feature], areas: tuple[str, ...], names: tuple[str, ...]) -> list[Feature]:
    for name in names:
        if name not in features:
            raise UsageError(f"There is no feature '{name}'.", next="`kminer features` lists them.")
    known = sorted({feature.area for feature in features.values()})
    for area in areas:
        if not any(_in_area(one, area) for one in known):
            raise UsageError(f"There is no area '{area}'.", where=f"known are {', '.join(known)}")
    return [
        feature
        for feature in features.values()
        if (not names or feature.id in names) and (not areas or any(_in_area(feature.area, area) for area in areas))
    ]


def _in_area(area: str, wanted: str) -> bool:
    return area == wanted or area.startswith(f"{wanted}.")


def _gate(terminal: Terminal, required: Sequence[str], joined: Sequence[Joined]) -> int:
    """The exit code that --require asks for: 3 something is not there to be used, 4 something is not known.

    What is built in, and cannot be told more of than that, will do.
    """
    poor = [
        one.finding
        for one in joined
        if one.finding.feature in required and one.finding.verdict != "available" and not _built_in(one)
    ]
    missing = [finding for finding in poor if finding.verdict != "unknown"]
    unknown = [finding for finding in poor if finding.verdict == "unknown"]
    for finding in [*missing, *unknown]:
        terminal.fail(f"required {finding.feature} is {finding.verdict}: {finding.reason}")
    return 3 if missing else 4 if unknown else 0


def _show(terminal: Terminal, probed: Probed, joined: Sequence[Joined], everything: bool, detailed: bool) -> None:
    for line in _head(probed):
        terminal.say(line)
    if not detailed:
        terminal.table(*_by_area(joined))
    shown = [one for one in joined if everything or detailed or _worth_knowing(one)]
    columns = ("feature", "what", "since", "verdict", "why", "remark", "used since")
    rows = [
        (one.feature.id, one.feature.title, _since(one.feature), one.finding.verdict, _why(one), one.remark,
         _engines(one.feature))
        for one in shown
    ]  # fmt: skip
    if rows:
        terminal.table(columns, rows)
    for line in _hidden([one for one in joined if one not in shown]):
        terminal.say(line)
    for line in _later(joined) if not detailed else ():
        terminal.say(line)
    if detailed:
        for one in joined:
            terminal.say(f"{one.feature.id}: {one.feature.summary}")
            for line in one.finding.evidence:
                terminal.say(f"  {line}")
    terminal.note(f"{len(joined)} features in {probed.seconds:.2f} s")


def _head(probed: Probed) -> Iterable[str]:
    from kminer.probe.describing import describe
    from kminer.probe.engine import find_engine

    yield from describe(probed.environment)
    engine = find_engine() if probed.environment.live else None
    if engine:
        yield f"{engine[0]} {engine[1]} is installed"


def _later(joined: Sequence[Joined]) -> Iterable[str]:
    """What later kernels bring, a line a release."""
    from kminer.probe.joined import LATER, version_of

    later: dict[str, list[str]] = {}
    for one in joined:
        if one.remark == LATER:
            later.setdefault(one.feature.since or "", []).append(one.feature.id)
    for release in sorted(later, key=lambda release: version_of(release) or ()):
        yield f"Linux {release} brings {', '.join(later[release])}"


def _hidden(rest: Sequence[Joined]) -> Iterable[str]:
    """What the table leaves out, a line for each reason."""
    bound = Counter(one.finding.by for one in rest if one.finding.verdict == "bound-elsewhere")
    for hierarchy, count in sorted(bound.items()):
        yield f"{count} features are bound elsewhere, by a {hierarchy}: --all"
    unasked = sum(not one.feature.detectors for one in rest)
    if unasked:
        yield f"{unasked} features have no detector yet: --all"
    others = len(rest) - unasked - sum(bound.values())
    if others:
        yield f"{others} features are as the kernel's version lets expect: --all"


def _by_area(joined: Sequence[Joined]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    from kminer.probe.answers import VERDICTS

    counts = Counter((one.feature.area, one.finding.verdict) for one in joined)
    areas = dict.fromkeys(one.feature.area for one in joined)
    rows: list[tuple[object, ...]] = [
        (area, *(counts[area, verdict] or "" for verdict in VERDICTS)) for area in areas
    ]
    return ("area", *VERDICTS), rows


def _worth_knowing(one: Joined) -> bool:
    """What is not as the version lets expect: blocked, missing, there before its time, not found out."""
    from kminer.probe.joined import LATER, UNDATED

    if one.finding.verdict == "bound-elsewhere" or not one.feature.detectors:
        return False
    if one.finding.verdict == "available" or _built_in(one):
        return one.remark not in ("", UNDATED)
    return not (one.finding.verdict == "absent" and one.remark == LATER)


def _built_in(one: Joined) -> bool:
    """Whether it is compiled in, not as a module that is not loaded, and nothing speaks against its use."""
    kind = one.finding.detector.partition(":")[0]
    loaded = "not loaded" not in one.finding.reason
    return one.finding.verdict == "compiled-in" and kind in ("kconfig", "kallsyms") and loaded


def _since(feature: Feature) -> str:
    sure = "" if feature.confidence == "high" else f" ({feature.confidence} confidence)"
    return f"{feature.since or 'unknown'}{sure}"


def _engines(feature: Feature) -> str:
    return ", ".join(f"{engine} {version}" for engine, version in feature.used_by)


def _why(one: Joined) -> str:
    by = f" [{one.finding.by}]" if one.finding.by else ""
    return f"{one.finding.reason}{by}"


def _save(context: click.Context, name: str, probed: Probed, joined: Sequence[Joined]) -> None:
    from kminer.store.database import open_for_writing
    from kminer.store.findings import save_host
    from kminer.store.writer import transaction

    remarks = {one.finding.feature: one.remark for one in joined}
    with open_for_writing(database_of(context)) as db, transaction(db):
        save_host(db, name, probed.as_json(), remarks)


def _show_difference(context: click.Context, terminal: Terminal, one: str, other: str, as_json: bool) -> None:
    before, after = (_findings_of(context, name) for name in (one, other))
    rows = [
        (feature, before.get(feature, ("not asked", ""))[0], after.get(feature, ("not asked", ""))[0],
         (after.get(feature) or before[feature])[1])
        for feature in dict.fromkeys([*before, *after])
        if before.get(feature, ("",))[0] != after.get(feature, ("",))[0]
    ]  # fmt: skip
    if as_json:
        terminal.json([dict(zip(("feature", one, other, "reason"), row, strict=True)) for row in rows])
    elif rows:
        terminal.table(("feature", one, other, "why"), rows)
    else:
        terminal.note("The two do not differ.")


def _findings_of(context: click.Context, name: str) -> dict[str, tuple[str, str]]:
    """Verdict and reason by feature, of a JSON file or a saved host."""
    if Path(name).is_file():
        return _read_json(Path(name))
    from kminer.store.findings import read_findings

    rows = read_findings(open_store(context), name)
    if not rows:
        raise UsageError(f"'{name}' is neither a JSON file nor a saved host.", next="`kminer query hosts` lists them.")
    return {str(row["feature"]): (str(row["verdict"]), str(row["reason"])) for row in rows}


def _read_json(file: Path) -> dict[str, tuple[str, str]]:
    try:
        probed: Any = json.loads(file.read_text(encoding="utf-8"))
        return {one["feature"]: (one["verdict"], one["reason"]) for one in probed["findings"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"This is not what `kminer probe --json` prints: {error!r}.", where=str(file), next="Make it anew."
        ) from error


@click.group(invoke_without_command=True)
@click.option("--project", default="linux", show_default=True, help="linux, docker, containerd; % for all.")
@click.option("--area", help="Only this area, e.g. overlayfs, or a family: cgroup.")
@click.option("--since", metavar="VERSION", help="Only what came with this version or later.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def features(context: click.Context, project: str, area: str | None, since: str | None, as_json: bool) -> None:
    """List the catalogue's features of kernels and engines; `show` one, `check` them against the history."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from kminer import catalogue
    from kminer.probe.joined import version_of

    found = [
        feature
        for feature in catalogue.load_features().values()
        if project in ("%", feature.project)
        and (area is None or _in_area(feature.area, area))
        and (since is None or (version_of(feature.since or "") or ()) >= (version_of(f"{since}.0") or (0,))[:-1])
    ]
    terminal = terminal_of(context)
    if as_json:
        terminal.json([asdict(feature) for feature in found])
        return
    rows = [(f.id, f.area, f.title, _since(f), " ".join(f.mechanisms)) for f in found]
    terminal.table(("feature", "area", "what", "since", "mechanisms"), rows, note=f"{len(rows):,} features")


@features.command("show")
@click.argument("name", metavar="ID")
@click.pass_context
def show_feature(context: click.Context, name: str) -> None:
    """Show all that the catalogue says of the feature ID."""
    from kminer import catalogue

    found = catalogue.load_features()
    if name not in found:
        raise UsageError(f"There is no feature '{name}'.", next="`kminer features` lists them.")
    for line in _feature_lines(found[name]):
        terminal_of(context).say(line)


def _feature_lines(feature: Feature) -> Iterable[str]:
    yield f"{feature.id}: {feature.title}"
    yield f"  {feature.summary}"
    facts = {
        "project": feature.project,
        "area": feature.area,
        "since": _since(feature),
        "mechanisms": ", ".join(feature.mechanisms),
        "built by": ", ".join(feature.kconfig),
        "needs": feature.privilege,
        "detectors": ", ".join(feature.detectors),
        "names": ", ".join(feature.terms),
        "used since": _engines(feature),
        "seen in sources of": ", ".join(version for version, there in feature.presence if there),
        "not in sources of": ", ".join(version for version, there in feature.presence if not there),
        "seen before since": ", ".join(feature.backports),
        "note": feature.note,
    }
    for name, value in facts.items():
        if value:
            yield f"  {name:<18} {value}"
    for commit, title in feature.commits:
        yield f"  {'commit':<18} {commit[:12]}  {title}"


@features.command("check")
@click.pass_context
def check_features(context: click.Context) -> None:
    """Hold first releases and commits of the catalogue against the history in the database; print what disagrees."""
    from kminer import catalogue
    from kminer.store.findings import check_commits

    terminal = terminal_of(context)
    rows = check_commits(open_store(context), catalogue.load_features().values())
    wrong = [row for row in rows if row["verdict"] not in ("agrees", "not held")]
    counts = Counter(str(row["verdict"]) for row in rows)
    if wrong:
        columns = ("feature", "commit", "verdict", "catalogue", "history", "title")
        terminal.table(columns, [[row[column] for column in columns] for row in wrong])
    terminal.say("; ".join(f"{verdict}: {count:,}" for verdict, count in sorted(counts.items())))
    context.exit(1 if wrong else 0)
