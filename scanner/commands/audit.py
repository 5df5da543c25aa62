"""`keyleash audit`: from targets to repositories, a store, and a summary for people."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from scanner import config
from scanner.commands.stored import usual_clones, usual_store
from scanner.commands.watch import watching
from scanner.errors import UsageError
from scanner.model import LEVELS, Skipped
from scanner.rules import load_builtin, select
from scanner.sinks.escape import visible
from scanner.sinks.words import commit, count, place, size

if TYPE_CHECKING:
    from scanner.audit import Tally
    from scanner.sources.organisation import Remote
    from scanner.store import Store
    from scanner.store.results import Known

Say = Callable[[str], None]

SHOWN = 50
"""How many findings and skipped inputs the summary lists; the store has all."""

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def run(options: argparse.Namespace) -> int:
    """Carry out the command and return the exit code."""
    from scanner.audit import Audit, Settings
    from scanner.clones import Cache
    from scanner.store import Store

    settings = config.load(options.config, None)
    rules = select(settings.rules(load_builtin()), options.rule, options.exclude_rule)
    clones = Cache(options.cache or usual_clones(), bytes_of(options.cache_size), timeout=options.timeout)
    excluded = settings.excluded() if settings.exclude else None
    with Store(options.store or default_store()) as store, watching(sys.stderr, options) as watch:
        remotes, unlisted = _listed(options, watch.say)
        watch.total(len(remotes))
        work = Settings(rules, clones, options.fetch_jobs, options.jobs, excluded, tuple(settings.exclude))
        if options.cluster is not None:
            from scanner.cluster import Distributed

            tally = Distributed(store, work, watch, options.cluster).run(remotes)
        else:
            tally = Audit(store, work, watch).run(remotes)
        tally.skipped += unlisted
        watch.end()
        return _summary(store, tally, exit_zero=options.exit_zero)


def default_store() -> str:
    """Return where the store is unless one is named; its folder is made."""
    file = usual_store()
    folder = os.path.dirname(file)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as problem:
        raise UsageError(f"{folder}: cannot be made: {problem.strerror}; name a --store FILE") from None
    return file


def bytes_of(text: str | None) -> int | None:
    """Return a size in bytes.

    >>> bytes_of("1.5G")
    1500000000
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([KMGT]?)B?", text.strip().upper())
    if not match:
        raise UsageError(f"--cache-size {text}: write it as a number of bytes, or as 500M or 20G")
    return int(float(match[1]) * _UNITS[match[2]])


def _listed(options: argparse.Namespace, say: Say) -> tuple[list[Remote], list[Skipped]]:
    """Return the repositories of all targets, and what could not be listed."""
    from scanner.sources.organisation import Choice, Remote, remotes

    if options.pushed_since is not None and not _is_day(options.pushed_since):
        raise UsageError(f"--pushed-since {options.pushed_since}: write a day as YYYY-MM-DD")
    choice = Choice(
        tuple(options.name), tuple(options.exclude_name), not options.no_archived, not options.no_forks,
        options.visibility, options.pushed_since or "", not options.no_wikis, not options.no_gists,
    )  # fmt: skip
    found = [one for target in options.targets for one in remotes(target, choice, say)]
    repositories = [one for one in found if isinstance(one, Remote)]
    unlisted = [one for one in found if isinstance(one, Skipped)]
    if not found:
        raise UsageError(f"{', '.join(options.targets)}: no repository fits; look at --name, --no-forks and the like")
    return repositories, unlisted


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _summary(store: Store, tally: Tally, *, exit_zero: bool) -> int:
    """Write what was found and what was not looked at; return the exit code."""
    from scanner.store.results import briefs, findings
    from scanner.store.triage import OPEN

    known = briefs(store, set(tally.names))
    open_ones = sorted((one for one in known if one.state == OPEN), key=lambda one: (-LEVELS.index(one.severity), one.since))
    for brief in open_ones[:SHOWN]:
        for one in findings(store, [brief.fingerprint]):
            print("\n".join(_described(one)))
    if len(open_ones) > SHOWN:
        print(f"\n… and {count(len(open_ones) - SHOWN, 'credential')} more; the store has all of them.")
    for line in _not_scanned(tally.skipped):
        print(line)
    decided = f", {count(len(known) - len(open_ones), 'other')} decided upon" if len(known) > len(open_ones) else ""
    states = ", ".join(f"{number} {state}" for state, number in sorted(tally.states.items(), key=lambda pair: -pair[1]))
    number = count(len(tally.names), "repository", "repositories")
    print(f"\n{count(len(open_ones), 'credential')} found{decided}. {number}: {states}.")
    print(f"{count(tally.covered.blobs, 'blob')}, {size(tally.covered.bytes)} read; the store is {visible(store.path)}.")
    if open_ones and not exit_zero:
        return 1
    return 2 if tally.skipped else 0


def _described(one: Known) -> Iterable[str]:
    """Yield the lines that tell of a finding: what, how bad, where first, in how many places."""
    places = [(there.repository, where) for there in one.occurrences for where in there.locations]
    where = f"{count(len(places), 'place')} in {count(len(one.occurrences), 'repository', 'repositories')}"
    since = f", since {one.since[:10]}" if one.since else ""
    yield f"\n{one.rule}  [{one.severity}, {one.confidence} confidence]  {where}{since}"
    yield f"    secret   {visible(one.redacted)}  ({one.fingerprint})"
    if one.evidence:
        yield f"    because  {visible('; '.join(one.evidence))}"
    if places:
        repository, location = min(places, key=lambda pair: (pair[1].origin.date or "9999", pair[0]))
        yield f"    first    {visible(repository)}  {place(location)}  {commit(location)}"


def _not_scanned(skipped: Sequence[Skipped]) -> Iterable[str]:
    if skipped:
        yield "\nNot scanned:"
        for one in skipped[:SHOWN]:
            yield f"  {visible(one.what)}: {visible(one.reason)}"
        if len(skipped) > SHOWN:
            yield f"  … and {len(skipped) - SHOWN} more"
