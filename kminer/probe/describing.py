"""Tells an environment in a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from kminer.probe.environment import Environment


def describe(environment: Environment) -> Iterator[str]:
    """What explains the verdicts: the kernel, who asks, what is around it, where controllers are bound."""
    yield " ".join(part for part in (_kernel(environment), environment.distribution) if part)
    yield f"asked as {_who(environment)}"
    around = [_known("container", environment.container), _known("virtualization", environment.virtualization)]
    around += ["in a chroot"] if environment.chroot else []
    yield ", ".join(around)
    yield f"security modules: {_modules(environment.lsms)}; seccomp: {environment.seccomp or 'unknown'}"
    yield from _cgroups(environment)
    foreign = sorted(kind for kind, initial in environment.initial_namespaces.items() if initial is False)
    if foreign:
        yield f"namespaces of its own, not the system's: {', '.join(foreign)}"
    if environment.unknown:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in sorted(environment.unknown.items()))
        yield f"not found out: {reasons}"


def _modules(names: tuple[str, ...] | None) -> str:
    return "unknown" if names is None else ", ".join(names) or "none active"


def _kernel(environment: Environment) -> str:
    return f"Linux {environment.release or 'of unknown release'} {environment.machine or ''}".rstrip()


def _who(environment: Environment) -> str:
    if environment.uid is None:
        return "an unknown user"
    who = "root" if environment.uid == 0 else f"user {environment.uid}"
    if environment.user_map is not None and not _is_whole(environment.user_map):
        who += " in a user namespace"
    if environment.capabilities is None:
        return f"{who}, capabilities unknown"
    return f"{who} with {len(environment.capabilities)} capabilities"


def _is_whole(user_map: tuple[tuple[int, int, int], ...]) -> bool:
    return user_map == ((0, 0, 2**32 - 1),)


def _known(name: str, value: str | None) -> str:
    return f"{name}: {value or 'unknown'}"


def _cgroups(environment: Environment) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for controller, place in environment.controllers.items():
        places.setdefault(place, []).append(controller)
    bound = "; ".join(f"{', '.join(sorted(names))} on {place}" for place, names in sorted(places.items()))
    delegated = {True: ", delegated to this user", False: ", not delegated", None: ""}[environment.delegated]
    yield f"cgroups: {environment.cgroup_mode or 'unknown'}{f' ({bound})' if bound else ''}"
    if environment.own_cgroup:
        yield f"own cgroup: {environment.own_cgroup}{delegated}"
