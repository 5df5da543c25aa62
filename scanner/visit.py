"""What is done with one repository of an audit, in whichever process or machine: it is fetched, and scanned.

The store is elsewhere: what it knows of the repository comes along, and what was learned
goes back. What a scan needs is imported when there is something to scan.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scanner.clones import Cache, CloneError, borrowed
from scanner.errors import ScanError
from scanner.model import Report, RuleSet

if TYPE_CHECKING:
    from scanner.pipeline import Sight
    from scanner.sources.organisation import Remote
    from scanner.store.carried import Learned, Snapshot

SAMPLE = 4096
"""How many ids are asked for in other repositories."""


class Fetched(NamedTuple):
    """What came of a fetch: the folder of the mirror, a digest of what there is, its bytes, and ids to know kin by.

    Without a folder nothing changed since `digest` was told before, or there is a `problem`.
    """

    path: str | None
    digest: bytes | None = None
    size: int = 0
    sample: frozenset[bytes] = frozenset()
    problem: str = ""
    gone: bool = False
    said: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What came of a scan in another process. The rules of the report are left out."""

    report: Report | None
    learned: Learned | None
    problem: str = ""


def fetch(cache: Cache, remote: Remote, known: bytes | None, kin: Sequence[str] = ()) -> Fetched:
    """Bring the mirror of a repository up to date, unless there is what there was when all of it was scanned.

    A new mirror borrows what it can from that of the first of `kin` that is there.
    """
    said: list[str] = []
    try:
        if remote.local:
            return _stand(remote.name, known)
        from scanner.advert import advertised
        from scanner.sources.organisation import credentials_for

        credentials = credentials_for(remote.name)
        digest = advertised(remote.name, credentials, min(30.0, cache.timeout))
        if digest is not None and digest == known:
            return Fetched(None, digest)
        path = cache.fetch(remote.name, credentials, said.append, kin, str(remote.facts.get("default_branch") or ""))
    except CloneError as problem:
        return Fetched(None, problem=str(problem), gone=problem.gone, said=tuple(said))
    except OSError as problem:
        return Fetched(None, problem=f"its clone could not be written: {problem.strerror}", said=tuple(said))
    return Fetched(path, digest, packed(path), _sample(path), said=tuple(said))


def _stand(folder: str, known: bytes | None) -> Fetched:
    from scanner.standing import standing

    digest = standing(folder)
    if digest is not None and digest == known:
        return Fetched(None, digest)
    return Fetched(folder, digest, packed(folder))


def examine(path: str, snapshot: Snapshot, sees: Sight, excluded: Callable[[str], bool] | None) -> Outcome:
    """Scan a repository with what a store knows of it; errors are part of the outcome."""
    from scanner import gitcommand
    from scanner.pipeline import scan
    from scanner.sources.fasthistory import FastHistory
    from scanner.store.carried import Carried

    try:
        repository = gitcommand.find(path)
        if repository is None:
            return Outcome(None, None, "there is no repository any more")
        memory = Carried(snapshot)
        source = FastHistory(repository, lambda: sees, 1, memory=memory)
        report = scan([source], sees.rules, engine=sees.engine, key=snapshot.key, excluded=excluded)
    except (ScanError, OSError) as problem:
        return Outcome(None, None, str(problem))
    if borrowed(path):
        report = _without_lent(report, path)
    return Outcome(report._replace(rules=RuleSet((), sees.rules.digest)), memory.learned())


def packed(path: str) -> int:
    """Return the bytes of a repository's packs."""
    total = 0
    for folder in (os.path.join(path, "objects", "pack"), os.path.join(path, ".git", "objects", "pack")):
        try:
            with os.scandir(folder) as entries:
                total += sum(entry.stat().st_size for entry in entries if entry.name.endswith(".pack"))
        except OSError:
            continue
    return total


def _without_lent(report: Report, path: str) -> Report:
    """Leave out what no ref of a mirror leads to and another one only lent it: that is the other's."""
    from scanner.sources.packs import opened_indexes

    own = opened_indexes(os.path.join(path, "objects"), 20)

    def lent(blob: str | None, via: str) -> bool:
        id = bytes.fromhex(blob or "")
        return via == "history, unreachable" and not any(index.find(id) is not None for index in own)

    kept = []
    for finding in report.findings:
        places = tuple(where for where in finding.locations if not lent(where.blob, where.origin.via))
        if places:
            kept.append(finding._replace(locations=places))
    return report._replace(findings=tuple(kept))


def _sample(path: str) -> frozenset[bytes]:
    """Return ids of a mirror by which repositories that share objects are found: those that begin with a zero byte."""
    from scanner.sources.packs import opened_indexes

    ids: list[bytes] = []
    for index in opened_indexes(os.path.join(path, "objects"), 20):
        ids += _first(index.id, index.count, SAMPLE - len(ids))
    return frozenset(ids)


def _first(id: Callable[[int], bytes], count: int, most: int) -> Iterable[bytes]:
    for number in range(min(count, most)):
        if (one := id(number))[0]:
            return
        yield one
