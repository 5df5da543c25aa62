"""The whole object store of a repository, at the speed of its packs.

Yields what `history.History` yields, less the objects in which no anchor was met. What
cannot be read here goes through git once more; what git cannot read either is skipped by
name. An object with an anchor is judged in the process that has it at hand: of the objects
only the matches travel between processes. Memory, for each process: the bounds of
`packscan` and the headers of the packs, about 60 bytes an object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from scanner.gitcommand import Repository
from scanner.model import Blob, Coverage, Origin, Skipped
from scanner.sources.deltas import UNFOLDS
from scanner.sources.forest import Forest, forest
from scanner.sources.history import VIA, History, beyond_shallow, count_refs, missing_objects
from scanner.sources.names import file_names, ref_names
from scanner.sources.narrow import Narrow, said
from scanner.sources.objects import Wanted, read_many
from scanner.sources.objectstore import object_store
from scanner.sources.packs import Corrupt, Pack, PackName
from scanner.sources.packscan import HEAD, Done, Look, PackScan, loose_id, scan_loose
from scanner.sources.processes import Lost, spread
from scanner.sources.walk import Walk

SHARE_BYTES = 4 * 1024 * 1024
"""Packed bytes of a task; below that one process is enough."""

LOOSE_SHARE = 2000
MAX_ROUNDS = 3
"""How often packs that appeared during the scan are looked for."""

MAX_BROKEN = 1000
"""How many unreadable objects git is asked for: it has to be started anew after each."""


@dataclass(frozen=True, slots=True)
class FastHistory:
    """`look` makes, in each process, what knows the stages behind this one; `jobs` is the number of processes.

    With `narrow` only a part of the store is looked at.
    """

    repository: Repository
    look: Callable[[], Look]
    jobs: int = 1
    narrow: Narrow | None = None
    _walks: list[Walk] = field(default_factory=list, repr=False, compare=False)

    def items(self) -> Iterator[Any]:
        """Yield what `Look.judge` returned, what was skipped, and counts of what was covered."""
        walk = Walk(self.repository, self.narrow)
        self._walks[:] = [walk]
        try:
            walk.start()
            run = _Run(self.repository, self.look, self.jobs, walk.ids() if self.narrow else None)
            yield from run.items()
            yield from self._names(walk)
            if run.store.is_partial():
                yield from self._missing(walk.missing())
        except BaseException:
            walk.end()
            raise
        notes = (said(self.repository, self.narrow, run.commits),) if self.narrow else ()
        yield Coverage(refs=count_refs(self.repository), notes=notes)
        yield from beyond_shallow(self.repository)

    def _names(self, walk: Walk) -> Iterator[Any]:
        look = self.look()
        for blob in (*ref_names(self.repository, look.anchors), *file_names(self.repository, walk.text(), look.anchors)):
            yield from look.judge(blob)

    def _missing(self, count: int | None) -> Iterator[Skipped]:
        if count is None:
            yield Skipped(self.repository.name, "the clone is partial, and git cannot tell which objects are missing from it")
        elif count:
            yield missing_objects(self.repository, count)

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        walk = self._walks.pop()
        try:
            return History(self.repository).attribute(ids, walk.text())
        finally:
            walk.end()


@dataclass(frozen=True, slots=True)
class _PackTask:
    pack: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _LooseTask:
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Vanished:
    """The result of a task whose pack could not be opened any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Start:
    """What a process needs to begin; picklable, for processes that are not forked."""

    look: Callable[[], Look]
    packs: tuple[tuple[PackName, Forest], ...]

    def __call__(self) -> Callable[[_PackTask | _LooseTask], Done | _Vanished]:
        look = self.look()
        opened: dict[int, PackScan] = {}

        def run(task: _PackTask | _LooseTask) -> Done | _Vanished:
            if isinstance(task, _LooseTask):
                return scan_loose(task.paths, look)
            if task.pack not in opened:
                opened.clear()
                try:
                    opened[task.pack] = PackScan(*self.packs[task.pack], look)
                except Corrupt as problem:
                    return _Vanished(str(problem))
            return opened[task.pack].run(task.first, task.last)

        return run


class _Run:
    """One scan: rounds over the packs that are new, and a second attempt through git for what failed."""

    def __init__(self, repository: Repository, look: Callable[[], Look], jobs: int, only: Collection[bytes] | None) -> None:
        self.store = object_store(repository)
        self._repository = repository
        self._look = look
        self._jobs = jobs
        self._only = only
        self._done: dict[str, Pack | None] = {}  # by the path of the pack; None for one that could not be read
        self._loose: set[str] = set()
        self._ids: set[bytes] | None = None
        self._failed: list[tuple[str, list[str]]] = []
        self._broken = 0
        self.commits = 0

    def items(self) -> Iterator[Any]:
        yield from self.store.skipped
        for _ in range(MAX_ROUNDS):
            names = [name for name in self.store.packs() if name.stem not in self._done]
            loose = [path for path in self.store.loose() if loose_id(path) not in self._loose]
            if not names and not loose:
                break
            yield from self._round(names, loose)
        else:
            if any(name.stem not in self._done for name in self.store.packs()):
                yield Skipped(self._repository.name, "the repository was repacked again and again meanwhile: scan it once more")
        for path in self.store.unindexed():
            yield Skipped(path, "the pack has no index, so git cannot use it: its objects were not scanned")
        yield from self._again()
        if not self.commits and not self._done and self._only is None:  # what git only staged is loose
            yield Skipped(self._repository.name, "the repository has no commit yet: there is no history to scan")

    def _round(self, names: Sequence[PackName], loose: Sequence[str]) -> Iterator[Any]:
        if self._ids is None and (self._only is not None or len(names) + len(self._done) > 1 or loose):
            self._ids = {pack.index.id(number) for pack in self._done.values() if pack for number in range(pack.index.count)}
        opened: list[tuple[Pack, Forest]] = []
        for name in names:
            try:
                pack = Pack(name)
                trees = forest(pack, None if self._ids is None else self._is_new)
            except (Corrupt, ValueError, IndexError) as problem:  # of a file that is cut off, too
                self._done[name.stem] = None
                said = problem if isinstance(problem, Corrupt) else "its index is damaged"
                yield Skipped(name.pack, f"the pack was not scanned: {said}")
                continue
            self._done[name.stem] = pack
            opened.append((pack, trees))
            if trees.lost:
                self._failed.append(("its base is not in the pack", [pack.index.id(number).hex() for number in trees.lost]))
        tasks: list[_PackTask | _LooseTask] = [
            _PackTask(number, first, last)
            for number, (_, trees) in enumerate(opened)
            for first, last in trees.shares(SHARE_BYTES)
        ]
        tasks += self._loose_tasks(loose)
        yield Coverage(expected=sum(trees.weight(0, len(trees.after)) for _, trees in opened))
        start = _Start(self._look, tuple((pack.name, trees) for pack, trees in opened))
        for task, result in zip(tasks, spread(start, tasks, self._jobs), strict=True):
            yield from self._result(task, result, opened)

    def _is_new(self, id: bytes) -> bool:
        """Whether an object was not met yet; from now on it is."""
        assert self._ids is not None
        if self._only is not None and id not in self._only:
            return False
        before = len(self._ids)
        self._ids.add(id)
        return len(self._ids) > before

    def _loose_tasks(self, paths: Sequence[str]) -> Iterator[_LooseTask]:
        wanted = iter([path for path in paths if self._is_new(bytes.fromhex(loose_id(path)))])
        self._loose.update(map(loose_id, paths))
        while share := tuple(islice(wanted, LOOSE_SHARE)):
            yield _LooseTask(share)

    def _result(self, task: _PackTask | _LooseTask, result: Any, opened: Sequence[tuple[Pack, Forest]]) -> Iterator[Any]:
        if isinstance(task, _PackTask):
            yield Coverage(packed=opened[task.pack][1].weight(task.first, task.last))
        if isinstance(result, Done):
            yield from result.found
            self.commits += result.commits
            yield Coverage(result.blobs, result.bytes, commits=result.commits)
            self._failed += result.failed
            return
        assert isinstance(result, Lost | _Vanished)
        if isinstance(task, _LooseTask):
            ids = [loose_id(path) for path in task.paths]
        else:
            pack, trees = opened[task.pack]
            ids = [pack.index.id(trees.number[entry]).hex() for entry in range(task.first, task.last) if trees.scan[entry]]
        if isinstance(result, Lost):
            yield _not_scanned(ids, result.reason)
        else:
            self._failed.append((result.reason, ids))

    def _again(self) -> Iterator[Any]:
        """Ask git for what could not be read: it may know another copy, and reads what is too large to be held."""
        look = self._look() if self._failed else None
        for reason, ids in self._failed:
            broken: list[str] = ids if reason == UNFOLDS else []
            ids = [] if broken else ids
            for first in range(0, len(ids), 500):
                some = ids[first : first + 500]
                if self._broken > MAX_BROKEN:
                    broken += some
                    continue
                assert look
                for result in self._through_git(look, some):
                    if isinstance(result, str):
                        broken.append(result)
                        self._broken += 1
                    else:
                        yield result
            if broken:
                yield _not_scanned(broken, reason)

    def _through_git(self, look: Look, ids: list[str]) -> Iterator[Any]:
        """Yield results, and the ids of what git cannot read."""
        last = ""
        for found in read_many(self._repository, [Wanted(id, Origin("history")) for id in ids]):
            if isinstance(found, Skipped):
                yield found.what.removeprefix("object ")
                continue
            kind, blob = found
            if kind not in VIA:
                continue
            blob = Blob(blob.data, Origin(VIA[kind]), blob.id, blob.line, blob.column)
            if look.needs_whole(blob.data[:HEAD]) or look.anchors(blob.data):
                yield from look.judge(blob)
            first, last = blob.id != last, blob.id or ""  # else the next piece of the same
            self.commits += kind == "commit"
            yield Coverage(first and kind == "blob", len(blob.data), commits=first and kind == "commit")


def _not_scanned(ids: Sequence[str], reason: str) -> Skipped:
    more = f"; so are {len(ids) - 1} more objects that were stored with it" if len(ids) > 1 else ""
    return Skipped(f"object {ids[0]}", f"was not scanned: {reason}{more}")
