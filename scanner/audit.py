"""The audit of many repositories: fetch, scan, remember; killed at any moment, it goes on where it was.

Fetching waits for the network and scanning for the processor, so each has processes of its
own. A small repository is looked at by one of them, with what the store knows of it along,
and the store is written by this process alone. A big one is looked at by all together, and
remembered task by task. A process that dies costs the task it had, which is tried once more.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from scanner.clones import Cache
from scanner.crew import Crew, ready
from scanner.errors import ScanError
from scanner.model import Coverage, RuleSet, Skipped
from scanner.order import Order
from scanner.sources.organisation import Remote
from scanner.sources.processes import Lost
from scanner.store import Store
from scanner.visit import Fetched, Outcome, examine, fetch

if TYPE_CHECKING:
    from scanner.pipeline import Sight
    from scanner.store.carried import Snapshot
    from scanner.store.remembered import Remembered

BIG = 32 * 1024 * 1024
"""Bytes of packs from which on all processes look at one repository together."""

_TRIES = 2
_NOTHING = Coverage()


class Settings(NamedTuple):
    """`fetchers` and `jobs` are the numbers of processes that fetch and that scan; `exclude` is what `excluded` tests for."""

    rules: RuleSet
    cache: Cache
    fetchers: int = 4
    jobs: int = 1
    excluded: Callable[[str], bool] | None = None
    exclude: tuple[str, ...] = ()


class Watch(Protocol):
    """Who is told how an audit goes."""

    def say(self, line: str) -> None:
        """Something worth a line: a wait, another attempt."""

    def begin(self, name: str) -> None:
        """A repository is being worked on."""

    def done(self, name: str, state: str, findings: int, covered: Coverage) -> None:
        """A repository is through: `state` is as in the store, or 'unchanged'."""


@dataclass
class Tally:
    """How an audit went: the repositories by state, those that hold findings, and what was read."""

    states: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    covered: Coverage = field(default_factory=Coverage)

    def add(self, name: str, state: str, covered: Coverage = _NOTHING, skipped: Iterable[Skipped] = ()) -> None:
        self.states[state] = self.states.get(state, 0) + 1
        self.names.append(name)
        self.skipped += [Skipped(name if one.what in name else f"{name}: {one.what}", one.reason) for one in skipped]
        self.covered = self.covered.plus(covered._replace(notes=()))


@dataclass(frozen=True)
class _FetchStart:
    cache: Cache

    def __call__(self) -> Callable[[Any], Fetched]:
        return lambda task: fetch(self.cache, *task)


@dataclass(frozen=True)
class _ScanStart:
    settings: Settings

    def __call__(self) -> Callable[[Any], Outcome]:
        from scanner.pipeline import sight

        sees = sight(self.settings.rules)()
        return lambda task: examine(task[0], task[1], sees, self.settings.excluded)


class Audit:
    """One audit into one store, with processes of this machine."""

    def __init__(self, store: Store, settings: Settings, watch: Watch) -> None:
        self._store = store
        self._settings = settings
        self._watch = watch
        self._ruleset = store.ruleset(settings.rules)
        self._excludes = hashlib.sha256(repr(settings.exclude).encode()).digest()
        self._tries: dict[tuple[str, str], int] = {}
        self._fetched: dict[str, Fetched] = {}  # in work or waiting for it
        self._ready: deque[Remote] = deque()
        self._big: deque[Remote] = deque()
        self._scanning: dict[str, frozenset[bytes]] = {}  # ids of what is being scanned, by which forks are known
        self._remotes: dict[str, Remote] = {}
        self._begun: set[str] = set()  # what is being fetched or scanned, or waits for that
        self._order = Order(())
        self.tally = Tally()

    @cached_property
    def _sight(self) -> Callable[[], Sight]:
        from scanner.pipeline import sight

        return sight(self._settings.rules)

    def run(self, remotes: Sequence[Remote]) -> Tally:
        """Audit the repositories, those that are big by their host's word first."""
        self._remotes = {remote.name: remote for remote in remotes}
        order = self._order = Order(self._remotes.values())
        window = self._settings.fetchers + 4 * self._settings.jobs
        with Crew(_FetchStart(self._settings.cache), self._settings.fetchers) as fetchers, \
             Crew(_ScanStart(self._settings), self._settings.jobs) as scanners:  # fmt: skip
            while order or self._ready or self._big or fetchers.pending or scanners.pending:
                while order and fetchers.pending + len(self._fetched) < window:
                    self._begin(order.take(), fetchers)
                if self._big and not scanners.pending:
                    self._together(self._big.popleft())
                elif self._big or not self._hand_over(scanners):
                    for crew, key, result in ready([fetchers, scanners]):
                        self._take(crew is fetchers, key, result, fetchers)
        return self.tally

    def _begin(self, remote: Remote, fetchers: Crew) -> None:
        self._begun.add(remote.name)
        self._watch.begin(remote.name)
        fetchers.submit(remote.name, (remote, self.known(remote), self._order.kin(remote)))

    def _take(self, was_fetch: bool, name: Any, result: Any, fetchers: Crew) -> None:
        remote = self._remotes[name]
        if not was_fetch:
            self._scanning.pop(name, None)
        if isinstance(result, Lost):
            self._again(was_fetch, remote, result, fetchers)
        elif isinstance(result, BaseException):
            self.failed(remote, f"a bug in Keyleash: {type(result).__name__}: {_place(result)}")
        elif was_fetch:
            self._after_fetch(remote, result)
        else:
            self.scanned(remote, result, self._fetched[remote.name].digest)

    def _again(self, was_fetch: bool, remote: Remote, lost: Lost, fetchers: Crew) -> None:
        """Try once more what a process died of: it may have been another's fault."""
        key = ("fetch" if was_fetch else "scan", remote.name)
        self._tries[key] = self._tries.get(key, 1) + 1
        if self._tries[key] > _TRIES:
            self.failed(remote, f"{lost.reason} while it {'fetched' if was_fetch else 'scanned'} this repository, twice")
            return
        self._watch.say(f"{remote.name}: {lost.reason}; trying again")
        if was_fetch:
            self._begin(remote, fetchers)
        else:
            self._ready.append(remote)

    def _after_fetch(self, remote: Remote, fetched: Fetched) -> None:
        for line in fetched.said:
            self._watch.say(line)
        if fetched.problem:
            self.not_fetched(remote, fetched)
        elif fetched.path is None:
            self.unchanged(remote)
        else:
            self._fetched[remote.name] = fetched
            if fetched.size >= BIG and self._settings.jobs > 1:
                self._big.append(remote)
            else:
                self._ready.append(remote)

    def _hand_over(self, scanners: Crew) -> bool:
        """Give the next repository to the processes that scan, if one is free and none has a fork of it in work."""
        if scanners.pending > self._settings.jobs:
            return False
        if self._ready:
            import scanner.sources.fasthistory  # noqa: F401 - here, so that the processes that are forked have it
        for remote in self._ready:
            fetched = self._fetched[remote.name]
            if all(fetched.sample.isdisjoint(sample) for sample in self._scanning.values()):
                self._ready.remove(remote)
                self._scanning[remote.name] = fetched.sample
                scanners.submit(remote.name, (fetched.path, self.snapshot(remote, fetched.sample)))
                return True
        return False

    def memory(self, remote: Remote) -> Remembered:
        from scanner.store.remembered import Remembered

        return Remembered(self._store, remote.name, self._settings.rules, shared=not remote.local)

    def snapshot(self, remote: Remote, sample: Iterable[bytes] = ()) -> Snapshot:
        return self.memory(remote).snapshot(sample, self._order.kin(remote))

    def _together(self, remote: Remote) -> None:
        """Scan a big repository with all processes; what is found is stored as it comes."""
        from scanner import gitcommand
        from scanner.pipeline import scan
        from scanner.sources.fasthistory import FastHistory

        path = self._fetched[remote.name].path or ""
        try:
            repository = gitcommand.find(path)
            if repository is None:
                self.failed(remote, "its clone has vanished")
                return
            source = FastHistory(repository, self._sight, self._settings.jobs, memory=self.memory(remote))
            report = scan([source], self._settings.rules, key=self._store.key, excluded=self._settings.excluded)
        except (ScanError, OSError) as problem:
            self.failed(remote, str(problem))
            return
        self.scanned(remote, Outcome(report, None), self._fetched[remote.name].digest)

    def scanned(self, remote: Remote, outcome: Outcome, digest: bytes | None) -> None:
        """Store what a scan brought, in one transaction."""
        if outcome.report is None:
            self.failed(remote, outcome.problem)
            return
        from scanner.store.results import record

        report = outcome.report._replace(rules=self._settings.rules)
        with self._store.writing():
            if outcome.learned:
                self.memory(remote).learn(outcome.learned)
            record(self._store, remote.name, report, remote.facts)
            settled = not self.memory(remote).pending()
            self._store.advertise(remote.name, self._ruleset, digest + self._excludes if digest and settled else None)
        state = "incomplete" if report.skipped else "complete"
        self.tally.add(remote.name, state, report.coverage, report.skipped)
        self._watch.done(remote.name, state, len(report.findings), report.coverage)
        self._release(remote)

    def unchanged(self, remote: Remote) -> None:
        """Note that a repository holds what it held when all that can be scanned of it was."""
        from scanner.store.results import record_unchanged, skipped

        state = record_unchanged(self._store, remote.name, remote.facts)
        self.tally.add(remote.name, state, skipped=skipped(self._store, remote.name))
        self._watch.done(remote.name, state, 0, Coverage())
        self._release(remote)

    def not_fetched(self, remote: Remote, fetched: Fetched) -> None:
        """Note that a repository could not be fetched; a wiki that was never begun is none."""
        if remote.optional and fetched.gone:
            self._store.forget(remote.name)
            self._release(remote)
        else:
            self.failed(remote, fetched.problem, gone=fetched.gone)

    def failed(self, remote: Remote, reason: str, gone: bool = False) -> None:
        """Note a repository that was not scanned; it counts as skipped."""
        from scanner.store.results import record_failure

        state = "gone" if gone else "failed"
        record_failure(self._store, remote.name, state, reason, remote.facts)
        self.tally.add(remote.name, state, skipped=[Skipped(remote.name, reason)])
        self._watch.done(remote.name, state, 0, Coverage())
        self._release(remote)

    def known(self, remote: Remote) -> bytes | None:
        """Return the digest of what there was when all that can be was scanned, with the paths excluded that are so now."""
        told = self._store.advertised(remote.name, self._ruleset)
        return told.removesuffix(self._excludes) if told and told.endswith(self._excludes) else None

    def _release(self, remote: Remote) -> None:
        """Let a mirror make room for others, and forks follow."""
        self._order.done(remote)
        self._begun.discard(remote.name)
        fetched = self._fetched.pop(remote.name, None)
        if fetched and not remote.local:
            cache = self._settings.cache
            held = {cache.path(name) for name in self._begun}
            cache.evict(lambda path: path in held, fetched.path)


def _place(problem: BaseException) -> str:
    """Return where an exception came from; its message might hold what was scanned."""
    import traceback

    frames = traceback.extract_tb(problem.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "in another process"
