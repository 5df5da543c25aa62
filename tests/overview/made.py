"""Stores with made-up findings, and what a hostile repository is called."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scanner.model import Coverage, Finding, Location, Origin, Report, Skipped
from scanner.rules import load_builtin
from scanner.store import Store
from scanner.store.results import record

RULES = load_builtin()
MARKUP = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'`${1}{{7*7}}"
HOSTILE = MARKUP + "\x1b[31m\u202eabc\u2066\x00"


def finding(
    seed: object, path: str = "a.ini", date: str | None = "2022-03-04T05:06:07+00:00", severity: str = "high", rule: int = 0,
    author: str = "Ann <ann@example.org>", evidence: tuple[str, ...] = ("named 'key'",),
) -> Finding:  # fmt: skip
    print = hashlib.sha256(str(seed).encode()).hexdigest()[:32]
    origin = Origin("history", path, commit="c" * 40, author=author, date=date, present=("main",))
    place = Location(3, 4, 3, 44, origin, "b" * 40)
    return Finding(RULES.rules[rule], severity, "high", print, "Kx3a…9zQw", evidence, (place,))


def keep(store: Store, name: str, *found: Finding, skipped: tuple[Skipped, ...] = ()) -> None:
    record(store, name, Report(found, skipped, Coverage(blobs=1, bytes=1, commits=1, refs=1), RULES))


def store_at(file: Path, repositories: dict[str, list[Finding]]) -> str:
    with Store(str(file)) as store:
        for name, found in repositories.items():
            keep(store, name, *found)
    return str(file)
