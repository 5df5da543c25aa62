"""The store: one SQLite file that remembers what was looked at, what was found, and what people decided.

All SQL stands in this package: `schema` has the tables, `remembered` what a scan asks
so as to look at nothing twice, `results` what a scan reported and a report reads, `triage`
decisions. No secret is kept: a finding is known by its fingerprint, under a key that is
random for each store. Whoever holds the file can tell whether a secret they already have
is in it, so its mode is 0600.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from scanner.errors import ScanError, UsageError
from scanner.model import Origin, RuleSet
from scanner.store.schema import MIGRATIONS

_APPLICATION = 0x4B65794C  # 'KeyL', by which a file is told from other databases
_KEPT_RULESETS = 4
"""What was seen under older sets of rules than these is forgotten."""

_WAIT = 30.0  # seconds for another process to finish its transaction


class StoreError(ScanError):
    """The store cannot be used. The message names the file and the remedy."""


class Store:
    """An open store. Use it as a context manager, in one thread and one process at a time.

    Other processes may use the same file meanwhile. Raises `StoreError` for a file that is
    no store or cannot be used, `UsageError` for a name that cannot be one.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        _prepare(path)
        self._depth = 0
        try:
            self.db = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
            self.db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self.key = self._fact("key")
        except sqlite3.Error as problem:
            raise self.failure(problem) from None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.db.close()

    def failure(self, problem: sqlite3.Error) -> StoreError:
        """Return the error for people."""
        if isinstance(problem, sqlite3.OperationalError) and "locked" in str(problem):
            return StoreError(f"{self.path}: another process is writing to the store; wait for it to end")
        if isinstance(problem, sqlite3.DatabaseError) and not isinstance(problem, sqlite3.OperationalError):
            return StoreError(f"{self.path}: is no store, or damaged ({problem}); name another file, or delete this one")
        return StoreError(f"{self.path}: the store cannot be used: {problem}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection within a transaction: all of it is kept, or nothing."""
        try:
            if self._depth == 0:
                self.db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self.db
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self.db.execute("COMMIT")
        except sqlite3.Error as problem:
            raise self.failure(problem) from None

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return what a query gives."""
        try:
            return self.db.execute(query, values).fetchall()
        except sqlite3.Error as problem:
            raise self.failure(problem) from None

    def ruleset(self, rules: RuleSet) -> int:
        """Return the number of a set of rules here, and forget what was seen under sets that nobody used for long."""
        with self.writing() as db:
            db.execute(
                "INSERT INTO ruleset (digest, used) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                (rules.digest, now()),
            )
            (number,) = db.execute("SELECT id FROM ruleset WHERE digest = ?", (rules.digest,)).fetchone()
            db.execute(
                "DELETE FROM ruleset WHERE id NOT IN (SELECT id FROM ruleset ORDER BY id = ? DESC, used DESC, id DESC LIMIT ?)",
                (number, _KEPT_RULESETS),
            )
        return int(number)

    def repository(self, name: str) -> int:
        """Return the number of a repository here, by its URL without credentials, or its folder."""
        with self.writing() as db:
            db.execute("INSERT OR IGNORE INTO repository (name) VALUES (?)", (put(name),))
            (number,) = db.execute("SELECT id FROM repository WHERE name = ?", (put(name),)).fetchone()
        return int(number)

    def forget(self, name: str) -> None:
        """Drop a repository that turned out never to have been one; what was scanned of one stays."""
        with self.writing() as db:
            db.execute("DELETE FROM repository WHERE name = ? AND scanned IS NULL", (put(name),))

    def advertised(self, name: str, ruleset: int) -> bytes | None:
        """Return what a repository's server told of its refs when all of it was looked at."""
        query = "SELECT digest FROM advertised JOIN repository ON id = repository WHERE name = ? AND advertised.ruleset = ?"
        rows = self.rows(query, put(name), ruleset)
        return bytes(rows[0][0]) if rows else None

    def advertise(self, name: str, ruleset: int, digest: bytes | None) -> None:
        """Remember that; None where not all was looked at, or nothing was told."""
        number = self.repository(name)
        with self.writing() as db:
            db.execute("DELETE FROM advertised WHERE repository = ?", (number,))
            if digest is not None:
                db.execute("INSERT INTO advertised VALUES (?, ?, ?)", (number, ruleset, digest))

    def _migrate(self) -> None:
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        with self.writing() as db:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if application != _APPLICATION and (tables or application):
                raise StoreError(f"{self.path}: is a database of something else; name another file")
            if version > len(MIGRATIONS):
                raise StoreError(f"{self.path}: was written by a newer Keyleash; update this one, or name another file")
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    db.execute(statement)
            if version == 0:
                db.execute("INSERT INTO fact VALUES ('key', ?)", (os.urandom(32),))
            if version < len(MIGRATIONS):
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
                db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _fact(self, name: str) -> bytes:
        ((value,),) = self.rows("SELECT value FROM fact WHERE name = ?", name)
        return bytes(value)


def now() -> str:
    """Return the time, in UTC and seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def put(text: str | None) -> str | bytes | None:
    """Return what stands for a text in the store: itself, or bytes where it carries such as are not UTF-8."""
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


def got(value: str | bytes | None) -> str | None:
    """Return the text that `put` was given."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def fate_of(origin: Origin) -> str:
    """Return what became of the content at a place, as it is stored."""
    return json.dumps([origin.present, origin.removed, origin.paths])


def with_fate(origin: Origin, fate: str | None) -> Origin:
    """Return the place with what was stored by `fate_of`."""
    present, removed, paths = json.loads(fate or "[[], null, []]")
    return origin._replace(present=tuple(present), removed=removed, paths=tuple(paths))


def _prepare(path: str) -> None:
    """Make the file, or see that it is one; only its owner may read it."""
    folder = os.path.dirname(os.path.abspath(path))
    if not path or os.path.isdir(path):
        raise UsageError(f"--store {path}: name a file")
    if not os.path.isdir(folder):
        raise UsageError(f"--store {path}: the folder {folder} does not exist; make it first")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"--store {path}: is no regular file; name another one")
            if status.st_mode & 0o077 and hasattr(os, "fchmod"):
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError as problem:
        raise UsageError(f"--store {path}: cannot be written: {problem.strerror}") from None
