"""The whole object store of a repository, at the speed of its packs.

Yields what `history.History` yields, less the objects in which no anchor was met. What
cannot be read here goes through git once more; what git cannot read either is skipped by
name. An object with an anchor is judged in the process that has it at hand: of the objects
only the matches travel between processes. Memory, for each process: the bounds of
`packscan` and the headers of the packs, about 60 bytes an object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from scanner.gitcommand import Repository
from scanner.model import Blob, Coverage, Origin, Skipped
from scanner.sources.deltas import UNFOLDS
from scanner.sources.fate import Changes
from scanner.sources.forest import Forest, forest
from scanner.sources.growth import Growth
from scanner.sources.history import VIA, History, count_refs, elsewhere, missing_objects
from scanner.sources.memory import Memory
from scanner.sources.names import file_names, ref_names
from scanner.sources.narrow import Narrow, said
from scanner.sources.objects import Wanted, read_many
from scanner.sources.objectstore import object_store
from scanner.sources.packs import Corrupt, Index, Pack, PackName, checksum
from scanner.sources.packscan import HEAD, Done, Look, loose_id
from scanner.sources.packtasks import LooseTask, PackTask, Start, Vanished
from scanner.sources.processes import Lost, spread
from scanner.sources.walk import Walk

SHARE_BYTES = 4 * 1024 * 1024
"""Packed bytes of a task; below that one process is enough."""

LOOSE_SHARE = 2000
MAX_ROUNDS = 3
"""How often packs that appeared during the scan are looked for."""

MANY_PLACES = 64
"""With more found than this, what took it away is looked for in all changes of the history, and these are listed meanwhile."""

MAX_BROKEN = 1000
"""How many unreadable objects git is asked for: it has to be started anew after each."""


@dataclass(frozen=True, slots=True)
class FastHistory:
    """`look` makes, in each process, what knows the stages behind this one; `jobs` is the number of processes.

    With `narrow` only a part of the store is looked at. With a `memory`, only what it does
    not know is read, and its matches are yielded at the end; the two do not go together.
    """

    repository: Repository
    look: Callable[[], Look]
    jobs: int = 1
    narrow: Narrow | None = None
    memory: Memory | None = None
    _walks: list[Walk] = field(default_factory=list, repr=False, compare=False)
    _growths: list[Growth] = field(default_factory=list, repr=False, compare=False)
    _changes: list[Changes] = field(default_factory=list, repr=False, compare=False)

    def items(self) -> Iterator[Any]:
        """Yield what `Look.judge` returned, what was skipped, and counts of what was covered."""
        walk = Walk(self.repository, self.narrow)
        growth = Growth(self.repository, self.memory) if self.memory else None
        changes = Changes(self.repository)
        self._walks[:], self._growths[:], self._changes[:] = [walk], [growth] if growth else [], [changes]
        try:
            if growth is None or growth.whole:
                walk.start()
            run = _Run(self.repository, self.look, self.jobs, walk.ids() if self.narrow else None, self.memory)
            for item in run.items():
                yield item
                if run.met > MANY_PLACES and growth is None:
                    changes.start()
            yield from self._names(walk, growth)
            if run.store.is_partial():
                yield from self._missing(walk, growth, run)
            if growth and not run.met:
                growth.remember({})
        except BaseException:
            walk.end()
            changes.end()
            raise
        notes = (said(self.repository, self.narrow, run.commits),) if self.narrow else ()
        yield Coverage(refs=growth.refs if growth else count_refs(self.repository), notes=notes)
        yield from elsewhere(self.repository)

    def _names(self, walk: Walk, growth: Growth | None) -> Iterator[Any]:
        look = self.look()
        for blob in ref_names(self.repository, look.anchors):
            yield from look.judge(blob)
        text = growth.unnamed(walk.text) if growth else walk.text()
        found = [one for blob in file_names(self.repository, text, look.anchors) for one in look.judge(blob)]
        yield from growth.named(found) if growth else found

    def _missing(self, walk: Walk, growth: Growth | None, run: _Run) -> Iterator[Skipped]:
        if growth and growth.holds:
            count: int | None = growth.missing(run.held)
        else:
            ids = walk.missing()
            count = None if ids is None else len(ids)
            if growth:
                growth.found_missing(ids or ())
        if count is None:
            yield Skipped(self.repository.name, "the clone is partial, and git cannot tell which objects are missing from it")
        elif count:
            yield missing_objects(self.repository, count)

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        from scanner.sources.publickeys import of_repository

        return of_repository(self.repository)

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        walk, changes = self._walks.pop(), self._changes.pop()
        try:
            if self._growths:
                return self._growths.pop().attribute(ids, walk.text)
            return History(self.repository, self.narrow).attribute(ids, walk.text(), changes)
        finally:
            walk.end()
            changes.end()


class _Run:
    """One scan: rounds over the packs that are new, and a second attempt through git for what failed.

    `met` counts what was found. `_unseen` are the objects that were not, or not
    wholly, looked at, with the reasons.
    """

    def __init__(
        self, repository: Repository, look: Callable[[], Look], jobs: int, only: Collection[bytes] | None,
        memory: Memory | None,
    ) -> None:  # fmt: skip
        self.store = object_store(repository)
        self.met = 0
        self._repository = repository
        self._look = look
        self._jobs = jobs
        self._only = only
        self._memory = memory
        self._done: dict[str, Pack | None] = {}  # by the path of the pack; None for one that could not be read
        self._finished: dict[bytes, int] = {}  # by the checksum of the pack: how many objects it has
        self._loose: set[str] = set()
        self._ids: set[bytes] | None = None
        self._failed: list[tuple[str, list[str]]] = []
        self._unseen: dict[str, str] = {}
        self._broken = 0
        self.commits = 0
        self._indexes: list[Index | None] | None = None

    def items(self) -> Iterator[Any]:
        yield from self.store.skipped
        yield from self._known_packs()
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
        if self._memory:
            self._try_again(self._memory)
        yield from self._again()
        if not self.commits and not self._done and self._only is None and not self._knows_a_commit():  # what is staged is loose
            yield Skipped(self._repository.name, "the repository has no commit yet: there is no history to scan")
        if self._memory:
            yield from self._recalled(self._memory)

    def _knows_a_commit(self) -> bool:
        return self._memory is not None and bool(self._repository.run("rev-list", "--max-count=1", "--all"))

    def held(self, id: bytes) -> bool:
        """Whether the repository has an object, loose or in a pack."""
        name = id.hex()
        if name in self._loose:
            return True
        if self._indexes is None:
            self._indexes = [pack.index if pack else _index(stem, self.store.hash_size) for stem, pack in self._done.items()]
        return any(index.find(id) is not None for index in self._indexes if index)

    def _known_packs(self) -> Iterator[Coverage]:
        """Leave out the packs all objects of which were looked at in an earlier scan."""
        for name in self.store.packs() if self._memory else ():
            assert self._memory
            mark = checksum(name)
            count = self._memory.pack(mark) if mark else None
            if mark and count is not None:
                self._done[name.stem] = None
                self._finished[mark] = count
                yield Coverage(known=count)

    def _try_again(self, memory: Memory) -> None:
        """Have git read what no scan could read yet, and what is to be read anew."""
        known: dict[str, list[str]] = {}
        for id, reason in memory.pending().items():
            if self.held(id) and id.hex() not in self._unseen:
                known.setdefault(reason, []).append(id.hex())
        self._failed += known.items()

    def _recalled(self, memory: Memory) -> Iterator[Any]:
        hot = memory.hot()
        gone = {id for id in hot if not self.held(id)}
        self.met += len(hot) - len(gone)
        if memory.reread and self.met:
            yield from self._through_git(self._look(), sorted(id.hex() for id in hot - gone), _as_it_is)
        yield from memory.recalled(gone)
        many = len(self._unseen) > MAX_BROKEN  # then the packs are read again rather than their objects asked for
        unseen = {} if many else {bytes.fromhex(id): reason for id, reason in self._unseen.items()}
        memory.finish({} if many else self._finished, unseen, gone)

    def _round(self, names: Sequence[PackName], loose: Sequence[str]) -> Iterator[Any]:
        opened: list[tuple[Pack, Forest]] = []
        packs, problems = self._open(names)
        yield from problems
        known = self._known(packs, loose)
        for pack in packs:
            name = pack.name
            try:
                trees = forest(pack, None if self._ids is None else self._is_new)
            except (Corrupt, ValueError, IndexError) as problem:  # of a file that is cut off, too
                self._done[name.stem] = None
                yield _damaged(name, problem)
                continue
            self._done[name.stem] = pack
            opened.append((pack, trees))
            if trees.lost:
                self._failed.append(("its base is not in the pack", [pack.index.id(number).hex() for number in trees.lost]))
            self._finish_later(pack, trees, known)
        tasks: list[PackTask | LooseTask] = [
            PackTask(number, first, last)
            for number, (_, trees) in enumerate(opened)
            for first, last in trees.shares(SHARE_BYTES)
        ]
        tasks += self._loose_tasks(loose)
        yield Coverage(expected=sum(trees.weight(0, len(trees.after)) for _, trees in opened))
        if known:
            yield Coverage(known=len(known))
        start = Start(self._look, tuple((pack.name, trees) for pack, trees in opened))
        for task, result in zip(tasks, spread(start, tasks, self._jobs), strict=True):
            yield from self._result(task, result, opened)

    def _open(self, names: Sequence[PackName]) -> tuple[list[Pack], list[Skipped]]:
        packs, problems = [], []
        for name in names:
            try:
                packs.append(Pack(name))
            except (Corrupt, ValueError, IndexError) as problem:
                self._done[name.stem] = None
                problems.append(_damaged(name, problem))
        return packs, problems

    def _known(self, packs: Sequence[Pack], loose: Sequence[str]) -> set[bytes]:
        """Return which of the objects were looked at in an earlier scan, and see to it that none is looked at twice."""
        if self._ids is None and (self._only is not None or len(packs) + len(self._done) > 1 or loose):
            self._ids = {pack.index.id(number) for pack in self._done.values() if pack for number in range(pack.index.count)}
        if not self._memory:
            return set()
        known = self._memory.known(partial(_all_ids, packs, loose))
        if known:
            self._ids = known | (self._ids or set())
        return known

    def _finish_later(self, pack: Pack, trees: Forest, known: set[bytes]) -> None:
        """Note a pack that will be known when this scan ends."""
        mark = checksum(pack.name) if self._memory else None
        if mark:
            before = sum(pack.index.id(number) in known for number in range(pack.index.count)) if known else 0
            self._finished[mark] = sum(trees.scan) + len(trees.lost) + before

    def _is_new(self, id: bytes) -> bool:
        """Whether an object was not met yet; from now on it is."""
        assert self._ids is not None
        if self._only is not None and id not in self._only:
            return False
        before = len(self._ids)
        self._ids.add(id)
        return len(self._ids) > before

    def _loose_tasks(self, paths: Sequence[str]) -> Iterator[LooseTask]:
        wanted = iter([path for path in paths if self._is_new(bytes.fromhex(loose_id(path)))])
        self._loose.update(map(loose_id, paths))
        while share := tuple(islice(wanted, LOOSE_SHARE)):
            yield LooseTask(share)

    def _result(self, task: PackTask | LooseTask, result: Any, opened: Sequence[tuple[Pack, Forest]]) -> Iterator[Any]:
        if isinstance(task, PackTask):
            yield Coverage(packed=opened[task.pack][1].weight(task.first, task.last))
        if isinstance(result, Done):
            failed = {id for _, ids in result.failed for id in ids}
            ids = _ids_of(task, opened) if self._memory else []
            yield from self._kept([id for id in ids if id not in failed] if failed else ids, result.found)
            self.commits += result.commits
            yield Coverage(result.blobs, result.bytes, commits=result.commits)
            self._failed += result.failed
            return
        assert isinstance(result, Lost | Vanished)
        ids = _ids_of(task, opened)
        if isinstance(result, Lost):
            yield self._not_scanned(ids, result.reason)
        else:
            self._failed.append((result.reason, ids))

    def _kept(self, ids: Sequence[str], results: Sequence[Any]) -> Iterator[Any]:
        """Yield what was found in objects, less what the memory keeps and yields at the end."""
        self.met += len(results)
        for item in results:
            if isinstance(item, Skipped) and item.blob:
                self._unseen[item.blob] = ""
        yield from self._memory.keep(map(bytes.fromhex, ids), results) if self._memory else results

    def _not_scanned(self, ids: Sequence[str], reason: str) -> Skipped:
        self._unseen.update(dict.fromkeys(ids, reason))
        return _not_scanned(ids, reason)

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
                for result in self._through_git(look, some, self._kept):
                    if isinstance(result, str):
                        broken.append(result)
                        self._broken += 1
                    else:
                        yield result
            if broken:
                yield self._not_scanned(broken, reason)

    def _through_git(self, look: Look, ids: list[str], kept: Callable[[list[str], list[Any]], Iterable[Any]]) -> Iterator[Any]:
        """Yield what `kept` returns for each object and its results, and the ids of what git cannot read."""
        last, results = "", list[Any]()
        for found in read_many(self._repository, [Wanted(id, Origin("history")) for id in ids]):
            if isinstance(found, Skipped):
                broken = found.what.removeprefix("object ")
                yield broken
                if broken == last:  # its first pieces could be read
                    yield from results
                    last, results = "", []
                continue
            kind, blob = found
            if kind not in VIA:
                continue
            blob = Blob(blob.data, Origin(VIA[kind]), blob.id, blob.line, blob.column)
            first = blob.id != last  # else the next piece of the same
            if first:
                yield from kept([last] if last else [], results)
                last, results = blob.id or "", []
            if look.needs_whole(blob.data[:HEAD]) or look.anchors(blob.data):
                results += look.judge(blob)
            self.commits += kind == "commit"
            yield Coverage(first and kind == "blob", len(blob.data), commits=first and kind == "commit")
        yield from kept([last] if last else [], results)


def _as_it_is(ids: list[str], results: list[Any]) -> Iterable[Any]:
    return results


def _ids_of(task: PackTask | LooseTask, opened: Sequence[tuple[Pack, Forest]]) -> list[str]:
    """Return the objects that a task looks at."""
    if isinstance(task, LooseTask):
        return [loose_id(path) for path in task.paths]
    pack, trees = opened[task.pack]
    return [pack.index.id(trees.number[entry]).hex() for entry in range(task.first, task.last) if trees.scan[entry]]


def _all_ids(packs: Sequence[Pack], loose: Sequence[str]) -> list[bytes]:
    ids = [pack.index.id(number) for pack in packs for number in range(pack.index.count)]
    return ids + [bytes.fromhex(loose_id(path)) for path in loose]


def _index(stem: str, hash_size: int) -> Index | None:
    try:
        return Index(PackName(stem, hash_size))
    except Corrupt:
        return None


def _damaged(name: PackName, problem: Exception) -> Skipped:
    said = problem if isinstance(problem, Corrupt) else "its index is damaged"
    return Skipped(name.pack, f"the pack was not scanned: {said}")


def _not_scanned(ids: Sequence[str], reason: str) -> Skipped:
    more = f"; so are {len(ids) - 1} more objects that were stored with it" if len(ids) > 1 else ""
    return Skipped(f"object {ids[0]}", f"was not scanned: {reason}{more}")
