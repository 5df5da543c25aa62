"""What one repository's earlier scans looked at and found: the memory of a history scan.

The ids of objects are kept sorted and joined, many to a row: a million costs 20 MB, and
being held against those of a pack takes a set operation. Repositories that share objects,
as forks do, are found by a sample: the ids that begin with a zero byte.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scanner.group import Prints, Recalled, recallable
from scanner.model import Location, Origin, Rule, RuleSet, Skipped
from scanner.pipeline import Found
from scanner.sources.memory import BY_REF, Graph, Placed
from scanner.store import Store, fate_of, got, put, with_fate

if TYPE_CHECKING:
    from scanner.store.carried import Learned, Snapshot

_FEW = 64
"""Below one id in so many, ids are looked up one by one."""

_AT_ONCE = 500
"""How many objects a query names."""

_ROWS = 8
"""More rows of a repository than these are made one when a scan ends."""

_SIGHTING = "via, rule, fingerprint, redacted, evidence, confidence, severity, line, column, end_line, end_column, way"


_ROW = "SELECT width, ids, hot FROM seen WHERE id = ?"


class Remembered:
    """Implements `sources.memory.Memory` on a store.

    `shared` says that objects which other repositories of the store have need not be read
    again: so it may be where git itself made all clones, and so checked that content and
    ids belong together. `reread` asks for the secrets themselves, which the store has not.
    """

    lent = False

    def __init__(self, store: Store, repository: str, rules: RuleSet, *, shared: bool = False, reread: bool = False) -> None:
        self._store = store
        self._name = repository
        self._repository = store.repository(repository)
        self._ruleset = store.ruleset(rules)
        self._rules_in_use = rules
        self._rules: Mapping[str, Rule] = {rule.id: rule for rule in rules.rules}
        self._prints = Prints(store.key)
        self._shared = shared
        self.reread = reread

    @property
    def _mine(self) -> tuple[int, int]:
        return self._repository, self._ruleset

    def pack(self, checksum: bytes) -> int | None:
        query = "SELECT objects FROM pack WHERE repository = ? AND ruleset = ? AND checksum = ?"
        rows = self._store.rows(query, *self._mine, checksum)
        return rows[0][0] if rows else None

    def known(self, ids: Callable[[], Collection[bytes]]) -> set[bytes]:
        mine = self._store.rows("SELECT width, ids, hot FROM seen WHERE repository = ? AND ruleset = ?", *self._mine)
        shared = self._shared and bool(self._store.rows("SELECT 1 FROM sample WHERE ruleset = ? LIMIT 1", self._ruleset))
        if not mine and not shared:
            return set()
        wanted = set(ids())
        known: set[bytes] = set()
        hot: set[bytes] = set()
        for width, seen, found in mine:
            known |= common(wanted, seen, width)
            hot |= common(wanted, found, width)
        if shared:
            for some, found in self._elsewhere(wanted - known):
                known |= some
                hot |= found
        self._adopt(hot)
        return known

    def _elsewhere(self, wanted: set[bytes]) -> Iterator[tuple[set[bytes], set[bytes]]]:
        """Yield which objects other repositories' scans looked at, and which of them hold a match; the most telling first."""
        shares: dict[int, set[bytes]] = {}
        for id in wanted:
            if not id[0]:
                for (number,) in self._store.rows(
                    "SELECT seen FROM sample WHERE ruleset = ? AND object = ?", self._ruleset, id
                ):
                    shares.setdefault(number, set()).add(id)
        while shares:
            number = max(shares, key=lambda number: (len(shares[number]), -number))
            told = shares.pop(number)
            if told <= wanted or told & wanted:
                ((width, seen, found),) = self._store.rows(_ROW, number)
                some = common(wanted, seen, width)
                yield some, some & set(_split(found, width))
                wanted = wanted - some
            shares = {other: left for other, ids in shares.items() if (left := ids & wanted)}

    def _adopt(self, objects: Iterable[bytes]) -> None:
        """Note objects with matches as this repository's too."""
        rows = [(self._repository, id) for id in objects]
        if rows:
            with self._store.writing() as db:
                db.executemany("INSERT OR IGNORE INTO place (repository, object) VALUES (?, ?)", rows)

    def pending(self) -> Mapping[bytes, str]:
        return dict(self._store.rows("SELECT object, reason FROM pending WHERE repository = ? AND ruleset = ?", *self._mine))

    def keep(self, ids: Iterable[bytes], results: Collection[Any]) -> list[Any]:
        seen, recalled, rest = sort_out(ids, results, self._prints)
        self._keep(seen, recalled)
        return rest

    def _keep(self, seen: Collection[bytes], recalled: Collection[Recalled]) -> None:
        hot = {bytes.fromhex(one.location.blob or "") for one in recalled}
        with self._store.writing() as db:
            db.executemany(
                f"INSERT OR IGNORE INTO sighting (ruleset, object, {_SIGHTING}) VALUES ({','.join('?' * 14)})",
                [(self._ruleset, *_row(one)) for one in recalled],
            )
            self._adopt(hot)
            if seen:
                self._put(sorted(seen), sorted(hot))

    def _put(self, ids: list[bytes], hot: list[bytes]) -> None:
        """Add a row of seen objects with its sample; within a transaction."""
        db = self._store.db
        row = db.execute(
            "INSERT INTO seen (repository, ruleset, width, ids, hot) VALUES (?, ?, ?, ?, ?)",
            (*self._mine, len(ids[0]), b"".join(ids), b"".join(hot)),
        )
        sample = ids[: bisect_left(ids, b"\1")]
        db.executemany("INSERT OR IGNORE INTO sample VALUES (?, ?, ?)", [(self._ruleset, id, row.lastrowid) for id in sample])

    def hot(self) -> set[bytes]:
        return {
            object
            for (object,) in self._store.rows(
                "SELECT object FROM place WHERE repository = ? AND EXISTS "
                "(SELECT 1 FROM sighting WHERE sighting.ruleset = ? AND sighting.object = place.object)",
                *self._mine,
            )
        }

    def recalled(self, gone: Collection[bytes]) -> Iterator[Recalled]:
        if self.reread:
            return
        query = (
            f"SELECT sighting.object, {', '.join('sighting.' + name for name in _SIGHTING.split(', '))} "
            "FROM place JOIN sighting ON sighting.object = place.object "
            "WHERE place.repository = ? AND sighting.ruleset = ? ORDER BY sighting.id"
        )
        for object, *row in self._store.rows(query, *self._mine):
            if object not in gone:
                yield self._recall(object, *row)

    def _recall(self, object: bytes, via: str, rule: str, print: str, redacted: str, evidence: str, confidence: str,
                severity: str, line: int, column: int, end_line: int, end_column: int, way: str) -> Recalled:  # fmt: skip
        where = Location(line, column, end_line, end_column, Origin(via), object.hex(), tuple(json.loads(way)))
        return Recalled(self._rules[rule], print, redacted, tuple(json.loads(evidence)), confidence, severity, where)

    def finish(self, packs: Mapping[bytes, int], pending: Mapping[bytes, str], gone: Collection[bytes]) -> None:
        with self._store.writing() as db:
            for table in ("pack", "pending"):
                db.execute(f"DELETE FROM {table} WHERE repository = ? AND ruleset = ?", self._mine)
            db.executemany("INSERT INTO pack VALUES (?, ?, ?, ?)", [(*self._mine, mark, packs[mark]) for mark in packs])
            db.executemany("INSERT INTO pending VALUES (?, ?, ?, ?)", [(*self._mine, id, pending[id]) for id in pending])
            db.executemany("DELETE FROM place WHERE repository = ? AND object = ?", [(self._repository, id) for id in gone])
            rows = db.execute("SELECT width, ids, hot FROM seen WHERE repository = ? AND ruleset = ?", self._mine).fetchall()
            if len(rows) > _ROWS:
                db.execute("DELETE FROM seen WHERE repository = ? AND ruleset = ?", self._mine)
                self._put(*(sorted({id for row in rows for id in _split(row[number], row[0])}) for number in (1, 2)))

    def snapshot(self, sample: Iterable[bytes] = (), kin: Sequence[str] = ()) -> Snapshot:
        """Return what another process needs to know so as to look in place of this one; see `Carried`.

        Ids of objects in `sample` bring along what was seen in repositories that share them. `kin`
        are names of repositories from which this one may borrow objects: what is known of those, too.
        """
        from scanner.store.carried import Snapshot

        seen = self._rows("SELECT width, ids, hot FROM seen", *self._mine)
        packs, pending = dict(self._rows("SELECT checksum, objects FROM pack", *self._mine)), dict(self.pending())
        mine = {id for (id,) in self._store.rows("SELECT object FROM place WHERE repository = ?", self._repository)}
        graph, places, named_at = self.graph(), self.places([id.hex() for id in mine]), self.names_at()
        lent = graph is None
        for other in self._kin(kin):
            rows = self._rows("SELECT width, ids, hot FROM seen", *other._mine)
            seen += rows
            packs |= dict(self._rows("SELECT checksum, objects FROM pack", *other._mine))
            pending |= other.pending()
            hot = {id for width, _, found in rows for id in _split(found, width)}
            mine |= hot
            if graph is None and not other._names():
                graph, named_at = other.graph(), other.names_at()
                places = {id: one for id, one in other.places([id.hex() for id in hot]).items() if one.by == BY_REF}
        if self._shared:
            told = set(sample).difference(*(common(set(sample), ids, width) for width, ids, _ in seen))
            numbers = {number for (number,) in self._sampled(told)}
            seen += [row for number in sorted(numbers) for row in self._store.rows(_ROW, number)]
        hot = mine.union(*(_split(found, width) for width, _, found in seen))
        return Snapshot(
            self._store.key, packs, tuple(seen), pending, frozenset(mine), tuple(self._recalled_of(sorted(hot))), graph, places,
            tuple(self._names()), named_at, lent and graph is not None,
        )  # fmt: skip

    def _rows(self, query: str, repository: int, ruleset: int) -> list[Any]:
        return self._store.rows(f"{query} WHERE repository = ? AND ruleset = ?", repository, ruleset)

    def _kin(self, names: Sequence[str]) -> Iterator[Remembered]:
        """Yield the memories of other repositories that the store knows."""
        known = {self._name}
        for name in names if self._shared else ():
            if name not in known and self._store.rows("SELECT 1 FROM repository WHERE name = ?", put(name)):
                known.add(name)
                yield Remembered(self._store, name, self._rules_in_use, shared=True)

    def _sampled(self, ids: Iterable[bytes]) -> Iterator[tuple[int]]:
        for id in ids:
            yield from self._store.rows("SELECT seen FROM sample WHERE ruleset = ? AND object = ?", self._ruleset, id)

    def learn(self, learned: Learned) -> None:
        """Take what the other process brings back, in one transaction."""
        with self._store.writing():
            for ids, recalled in learned.kept:
                self._keep(ids, recalled)
            self._adopt(learned.adopted)
            if learned.finished:
                self.finish(*learned.finished)
            if learned.named:
                self._keep_names(*learned.named)
            for placing in learned.placing:
                self.place(*placing)

    def _recalled_of(self, objects: Sequence[bytes]) -> Iterator[Recalled]:
        for first in range(0, len(objects), _AT_ONCE):
            some = objects[first : first + _AT_ONCE]
            query = (
                f"SELECT object, {_SIGHTING} FROM sighting WHERE ruleset = ? AND object IN ({','.join('?' * len(some))}) "
                "ORDER BY object, id"
            )
            for row in self._store.rows(query, self._ruleset, *some):
                yield self._recall(*row)

    def names_at(self) -> bytes:
        rows = self._store.rows("SELECT mark FROM names WHERE repository = ? AND ruleset = ?", *self._mine)
        return bytes(rows[0][0]) if rows else b""

    def keep_names(self, results: Collection[Any], mark: bytes, anew: bool) -> Iterator[Any]:
        if self.reread:
            yield from results
            return
        names, rest = sort_names(results, self._prints)
        yield from rest
        yield from self._keep_names(names, mark, anew)

    def _keep_names(self, names: Collection[Recalled], mark: bytes, anew: bool) -> Sequence[Recalled]:
        with self._store.writing() as db:
            known = {} if anew else {one.location.origin.path: one for one in self._names()}
            if anew:
                db.execute("DELETE FROM named WHERE repository = ? AND ruleset = ?", self._mine)
            rows = [(*self._mine, put(one.location.origin.path), _packed(one)) for one in names
                    if one.location.origin.path not in known]  # fmt: skip
            db.executemany("INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", (*self._mine, mark))
            return self._names()

    def _names(self) -> list[Recalled]:
        query = "SELECT match FROM named WHERE repository = ? AND ruleset = ? ORDER BY path, match"
        return [_unpacked(match, self._rules) for (match,) in self._store.rows(query, *self._mine)]

    def graph(self) -> Graph | None:
        rows = self._store.rows(
            "SELECT tips, reflog, missing, head, branches FROM graph WHERE repository = ?", self._repository
        )
        return Graph(*rows[0]) if rows else None

    def places(self, ids: Collection[str]) -> Mapping[str, Placed]:
        wanted = set(ids)
        rows = self._store.rows(
            "SELECT object, led, via, path, commit_id, author, date, fate FROM place WHERE repository = ? AND led IS NOT NULL",
            self._repository,
        )
        return {
            object.hex(): Placed(with_fate(Origin(via, got(path), commit=commit, author=got(author), date=date), fate), led)
            for object, led, via, path, commit, author, date, fate in rows
            if object.hex() in wanted
        }

    def place(self, graph: Graph, places: Mapping[str, Placed], lasting: Collection[str]) -> None:
        rows = [
            (self._repository, bytes.fromhex(id), one.by, one.origin.via, put(one.origin.path), one.origin.commit,
             put(one.origin.author), one.origin.date, fate_of(one.origin))
            for id, one in places.items()
        ]  # fmt: skip
        with self._store.writing() as db:
            db.execute(
                f"UPDATE place SET led = NULL WHERE repository = ? AND led NOT IN ({','.join('?' * len(lasting))})",
                (self._repository, *lasting),
            )
            db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO graph VALUES (?, ?, ?, ?, ?, ?)", (self._repository, *graph))


def sort_out(ids: Iterable[bytes], results: Collection[Any], prints: Prints) -> tuple[list[bytes], list[Recalled], list[Any]]:
    """Return what was wholly looked at, what is kept of its matches, and the results of what was not."""
    partly = {one.blob for one in results if isinstance(one, Skipped)}
    found = [one for one in results if isinstance(one, Found) and one.location.blob not in partly]
    seen = set(ids) - {bytes.fromhex(id) for id in partly if id}
    rest = [one for one in results if isinstance(one, Skipped) or one.location.blob in partly]
    return sorted(seen), _recallables(found, prints), rest


def sort_names(results: Collection[Any], prints: Prints) -> tuple[list[Recalled], list[Any]]:
    """Return the matches in names, and what a limit said of a name."""
    found = [one for one in results if isinstance(one, Found)]
    rest = [one for one in results if not isinstance(one, Found)]
    return _recallables(found, prints), rest


def _recallables(found: Sequence[Found], prints: Prints) -> list[Recalled]:
    known = prints.of_all([one.match for one in found])
    return [recallable(one.match, one.location, print) for one, print in zip(found, known, strict=True)]


def _packed(one: Recalled) -> str:
    """Return a match in a name as text; JSON escapes what is no UTF-8 in it."""
    return json.dumps([one.rule.id, *one[1:6], one.location[:4], one.location.origin, one.location.way])


def _unpacked(text: str, rules: Mapping[str, Rule]) -> Recalled:
    rule, print, redacted, evidence, confidence, severity, (line, column, end_line, end_column), origin, way = json.loads(text)
    where = Location(line, column, end_line, end_column, Origin(*origin[:6]), None, tuple(way))
    return Recalled(rules[rule], print, redacted, tuple(evidence), confidence, severity, where)


def _row(one: Recalled) -> tuple[Any, ...]:
    where = one.location
    return (
        bytes.fromhex(where.blob or ""), where.origin.via, one.rule.id, one.fingerprint, one.redacted, json.dumps(one.evidence),
        one.confidence, one.severity, where.line, where.column, where.end_line, where.end_column, json.dumps(where.way),
    )  # fmt: skip


def common(wanted: set[bytes], ids: bytes, width: int) -> set[bytes]:
    """Return those of the wanted ids that are among sorted and joined ones."""
    count = len(ids) // width
    if len(wanted) * _FEW > count:
        return wanted.intersection(_split(ids, width))
    found = set()
    for id in wanted:
        place = bisect_left(range(count), id, key=lambda number: ids[number * width : (number + 1) * width])
        if place < count and ids[place * width : (place + 1) * width] == id:
            found.add(id)
    return found


def _split(ids: bytes, width: int) -> Iterator[bytes]:
    return (ids[at : at + width] for at in range(0, len(ids), width))
