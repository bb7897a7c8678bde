"""Decide which artifacts a Maven dependency needs at run time, as Maven itself would.

Pure, over a port that returns POM texts. Breadth first: the version nearest to the root wins, the
first one named among equals. Scopes compile and runtime are followed, optional ones are not.
Checked name for name against ``mvn dependency:copy-dependencies`` (docs/decisions/0002).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from freehold.foundation.errors import PermanentFault
from freehold.software.resolve.pom import Coordinate, Dependency, Models, PomSource

_FOLLOWED = frozenset({"", "compile", "runtime"})
_MOST = 5000  # artifacts; more is a loop or a mistake
_MOST_MOVES = 8


@dataclass(frozen=True, slots=True)
class _Visit:
    coordinate: Coordinate
    excluded: frozenset[tuple[str, str]]
    path: tuple[str, ...]  # who asked for it, for the error message


def resolve(roots: Sequence[Coordinate], source: PomSource) -> tuple[Coordinate, ...]:
    """Return every artifact that ``roots`` need, themselves included, sorted.

    Raises:
        PermanentFault: a POM is missing or cannot be read, a version is not given or is a range.
        TransientFault: from the port.
    """
    models = Models(source)
    chosen: dict[tuple[str, str, str, str], Coordinate] = {}
    queue = deque(_Visit(root, frozenset(), ()) for root in roots)
    while queue:
        visit = _follow_moves(queue.popleft(), models)
        if visit.coordinate.key in chosen:
            continue
        if len(chosen) >= _MOST:
            raise PermanentFault(f"cannot resolve {roots[0]}: more than {_MOST} artifacts")
        chosen[visit.coordinate.key] = visit.coordinate
        queue.extend(_children(visit, models))
    return tuple(sorted(found for found in chosen.values() if found.extension != "pom"))


def _follow_moves(visit: _Visit, models: Models) -> _Visit:
    coordinate = visit.coordinate
    for _ in range(_MOST_MOVES):
        moved = models.model(coordinate).relocation
        if moved is None:
            return _Visit(coordinate, visit.excluded, visit.path)
        coordinate = Coordinate(
            moved.group,
            moved.artifact,
            moved.version,
            coordinate.classifier,
            coordinate.extension,
        )
    raise PermanentFault(
        f"cannot resolve {visit.coordinate}: it moved more than {_MOST_MOVES} times"
    )


def _children(visit: _Visit, models: Models) -> Iterable[_Visit]:
    path = (*visit.path, str(visit.coordinate))
    for dependency in models.model(visit.coordinate).dependencies:
        if dependency.optional == "true" or dependency.scope not in _FOLLOWED:
            continue
        if _is_excluded(dependency, visit.excluded):
            continue
        yield _Visit(
            Coordinate(
                dependency.group,
                dependency.artifact,
                _exact(dependency, path),
                dependency.classifier,
                dependency.extension,
            ),
            visit.excluded | dependency.exclusions,
            path,
        )


def _is_excluded(dependency: Dependency, excluded: frozenset[tuple[str, str]]) -> bool:
    return any(
        group in ("*", dependency.group) and artifact in ("*", dependency.artifact)
        for group, artifact in excluded
    )


def _exact(dependency: Dependency, path: tuple[str, ...]) -> str:
    version = dependency.version
    if version.startswith("[") and version.endswith("]") and "," not in version:
        version = version[1:-1].strip()
    if version and version[0] not in "[(" and "${" not in version:
        return version
    wanted = f"{dependency.group}:{dependency.artifact}"
    shown = f"its version {version!r} is not one version" if version else "it has no version"
    raise PermanentFault(f"cannot resolve {wanted}, wanted by {' -> '.join(path)}: {shown}")
