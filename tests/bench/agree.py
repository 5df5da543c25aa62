"""Holds the fast way of reading a history against the plain one, finding by finding, on real repositories.

    python tests/bench/agree.py REPOSITORY [REPOSITORY …]

Each is scanned in a process of its own, so that memory is given back. Prints a line a repository; exits
with 1 when one differs.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from scanner import gitcommand
from scanner.model import Report
from scanner.pipeline import scan, sight
from scanner.rules import load_builtin
from scanner.sources.fasthistory import FastHistory
from scanner.sources.history import History

Row = tuple[object, ...]


def rows(report: Report) -> set[Row]:
    """Return each place of each finding with all that is said of it; what is said comes in the order of the blobs."""
    return {
        (found.rule.id, found.fingerprint, found.confidence, found.severity, frozenset(found.evidence), where)
        for found in report.findings
        for where in found.locations
    }


def agree(path: str) -> bool:
    repository = gitcommand.find(path)
    if repository is None:
        sys.exit(f"{path}: is no git repository")
    rules = load_builtin()
    begin = time.perf_counter()
    fast = scan([FastHistory(repository, sight(rules), 2)], rules)
    middle = time.perf_counter()
    plain = scan([History(repository)], rules)
    times = f"fast {middle - begin:.0f} s, plain {time.perf_counter() - middle:.0f} s"
    one, other = rows(fast), rows(plain)
    same = one == other and fast.skipped == plain.skipped and fast.coverage == plain.coverage
    counts = f"{len(fast.findings)} findings, {len(one)} places, {fast.coverage.blobs} blobs, {fast.coverage.commits} commits"
    print(f"{path}: {'equal' if same else 'DIFFERENT'}: {counts}; {times}", flush=True)
    for only, kind in ((one - other, "only fast"), (other - one, "only plain")):
        for row in sorted(map(str, only))[:10]:
            print(f"    {kind}: {row[:400]}")
    return same


def main(paths: list[str]) -> int:
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned, max_tasks_per_child=1) as pool:  # its workers may start processes
        results = list(pool.map(agree, paths))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
