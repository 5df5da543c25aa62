"""What each rule costs on real files: in the engine, and in confirming what it met.

    python -m tests.bench.rules [--all] REPOSITORY [REPOSITORY …]

The text is that of the files of HEAD. The engine's time for a rule is that of a database with this rule alone; together
the rules cost less than the sum, because the engine searches for the literals of all of them at once. Confirming is
timed rule by rule in one scan with all rules. The dearest rules come first; `--all` prints every one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from scanner import pipeline
from scanner.commands.rules_check import fastest
from scanner.confirm import confirmation
from scanner.engine import HyperscanEngine
from scanner.model import Blob, Origin, Rule, RuleSet, Skipped
from scanner.rules import load_builtin, ruleset_of

_ALONE = 4_000_000
"""Bytes of the text on which each rule is timed alone."""

_SHOWN = 40


def files(repository: str) -> Iterator[bytes]:
    """Yield the content of each file of HEAD."""
    listed = subprocess.run(["git", "--git-dir", repository, "ls-tree", "-r", "HEAD"], check=True, capture_output=True).stdout
    ids = [line.split()[2] for line in listed.splitlines() if line.split()[1] == b"blob"]
    process = subprocess.Popen(["git", "--git-dir", repository, "cat-file", "--batch", "--buffer"], stdin=-1, stdout=-1)
    read, _ = process.communicate(b"".join(id + b"\n" for id in ids))
    at = 0
    while at < len(read):
        head = read.index(b"\n", at)
        if read.endswith(b" missing", at, head):  # a partial clone
            at = head + 1
            continue
        size = int(read[at:head].rsplit(b" ", 1)[1])
        yield read[head + 1 : head + 1 + size]
        at = head + size + 2


def confirming(rules: RuleSet, texts: list[bytes]) -> tuple[dict[str, float], Counter[str], Counter[str], float]:
    """Scan with all rules; return by rule the seconds of confirming, what was met and what was reported, and all seconds."""
    seconds: defaultdict[str, float] = defaultdict(float)
    met: Counter[str] = Counter()
    reported: Counter[str] = Counter()
    plain = confirmation

    def timed(name: str | None) -> Any:
        confirm = plain(name)

        def run(rule: Rule, data: bytes, ends: Any) -> Iterator[Any]:
            start = time.process_time()
            found = list(confirm(rule, data, ends))
            seconds[rule.id] += time.process_time() - start
            met[rule.id] += len(ends)
            return iter(found)

        return run

    engine = HyperscanEngine(rules)
    setattr(pipeline, "confirmation", timed)  # noqa: B010 - a name that it imports, for itself alone
    try:
        for _ in range(2):  # patterns are compiled the first time
            seconds.clear()
            met.clear()
            reported.clear()
            start = time.process_time()
            for text in texts:
                for result in pipeline.matches(Blob(text, Origin("benchmark")), engine, rules):
                    if not isinstance(result, Skipped):
                        reported[result[0].rule.id] += 1
        return seconds, met, reported, time.process_time() - start
    finally:
        setattr(pipeline, "confirmation", plain)  # noqa: B010


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", help="git directories, bare or not; they are read only")
    parser.add_argument("--all", action="store_true", help="print every rule")
    options = parser.parse_args()
    rules = load_builtin()
    texts = [text for repository in options.repositories for text in files(repository)]
    size = sum(map(len, texts)) / 1e6
    seconds, met, reported, whole = confirming(rules, texts)
    text = b"\n".join(texts)[:_ALONE]
    (together,) = fastest([HyperscanEngine(rules)], text)
    alone = {}
    for rule in rules.rules:
        (alone[rule.id],) = fastest([HyperscanEngine(ruleset_of([rule]), keep=False, triggers=False)], text, 3)
    scale = 1e12 / len(text)  # of seconds for the text to microseconds for a megabyte
    confirmed = sum(seconds.values()) * 1e6 / size
    print(f"{len(texts):,} files of {size:.1f} MB: a scan with all rules takes {whole * 1e6 / size:,.0f} µs a MB")
    print(f"  of it the engine {together * scale:,.0f}, confirming {confirmed:,.0f} µs a MB; "
          f"the engine with each of {len(alone)} rules alone takes {sum(alone.values()) * scale:,.0f} in all")  # fmt: skip
    print(f"  {'rule':<44} {'engine alone':>12} {'confirming':>11} {'met a MB':>9} {'reported':>9}")
    costs = {id: alone[id] * scale + seconds[id] * 1e6 / size for id in alone}
    shown = sorted(costs, key=lambda id: -costs[id])[: None if options.all else _SHOWN]
    for id in shown:
        both = f"{alone[id] * scale:>9,.0f} µs {seconds[id] * 1e6 / size:>8,.0f} µs"
        print(f"  {id:<44} {both} {met[id] / size:>9,.1f} {reported[id]:>9,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
