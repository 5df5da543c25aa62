"""Taking a credential out of a history: what git-filter-repo needs to know, read from the repository itself.

A store holds no secret, so the objects in which it was found are looked at once more. Each
spelling of the secret becomes an expression for `--replace-text`; that it does away with
the secret is tried on every object. Where it does not (binary files, archives, UTF-16,
some encodings), the object itself is named for `--strip-blobs-with-ids`.
Source: https://htmlpreview.github.io/?https://github.com/newren/git-filter-repo/blob/docs/html/git-filter-repo.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from scanner import gitcommand
from scanner.engine import Engine, open_engine
from scanner.errors import UsageError
from scanner.gitcommand import Repository
from scanner.group import Prints, redact
from scanner.model import Blob, Location, Origin, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.sources.objects import Wanted, read_many

REPLACEMENT = b"***REMOVED***"
_SNIFFED = 8192
"""Bytes in which git-filter-repo looks for a NUL, to leave a binary file alone."""

KEY_ID = "aws-access-key-id"


class Plan(NamedTuple):
    """What to replace, which blobs to strip, and what neither reaches. Holds secrets."""

    expressions: tuple[bytes, ...]
    strip: tuple[str, ...]
    left: tuple[str, ...]
    key_ids: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Plan(expressions={len(self.expressions)}, strip={len(self.strip)}, left={self.left})"


class _Search(NamedTuple):
    """A finding to look for in objects."""

    fingerprint: str
    rules: RuleSet
    engine: Engine
    prints: Prints

    def spellings(self, blob: Blob) -> Iterator[bytes]:
        """Yield how the secret is written in a blob; empty bytes where it is written in no text at all."""
        for result in matches(blob, self.engine, self.rules):
            if isinstance(result, Skipped) or self.prints.of(result[0]) != self.fingerprint:
                continue
            match, chunk = result
            start, end = match.start, match.end
            if chunk.offset_of:
                start, end = chunk.offset_of(start), chunk.offset_of(end)
            span = chunk.text[start:end]
            yield span if span in blob.data else b""

    def key_ids(self, blob: Blob, short: Collection[str]) -> Iterator[str]:
        """Yield the access key ids of a blob whose shortened forms are wanted: an id is a name and no secret."""
        for result in matches(blob, self.engine, self.rules):
            if not isinstance(result, Skipped) and result[0].rule.id == KEY_ID and redact(result[0]) in short:
                yield result[0].secret.decode("ascii", "replace")


def plan(
    repository: Repository,
    fingerprint: str,
    locations: Iterable[Location],
    rules: RuleSet,
    key: bytes,
    short: Collection[str] = (),
) -> Plan:
    """Read where a finding stands and return how to take it out.

    `rules` have to hold the finding's rule; `key` is that of its fingerprint. Objects
    that are not in the repository are passed over: a finding may be in several.
    """
    places = list(locations)
    search = _Search(fingerprint, rules, open_engine(rules), Prints(key))
    spellings: dict[bytes, None] = {}
    ids: dict[str, None] = {}
    holders: dict[str, str] = {}
    for kind, blob in _objects(repository, sorted({where.blob for where in places if where.blob})):
        found = list(search.spellings(blob))
        if found:
            holders[blob.id or ""] = kind
            spellings.update(dict.fromkeys(span for span in found if span))
        if short:
            ids.update(dict.fromkeys(search.key_ids(blob, short)))
    expressions = tuple(_expression(span) for span in sorted(spellings, key=len, reverse=True))
    strip, left = _unmoved(repository, holders, expressions, search)
    return Plan(expressions, tuple(strip), (*left, *_nameless(places)), tuple(ids))


def _objects(repository: Repository, ids: Iterable[str]) -> Iterator[tuple[str, Blob]]:
    for found in read_many(repository, [Wanted(id, Origin("history")) for id in ids]):
        if not isinstance(found, Skipped):
            yield found


def _unmoved(
    repository: Repository, holders: dict[str, str], expressions: tuple[bytes, ...], search: _Search
) -> tuple[list[str], list[str]]:
    """Return which blobs hold the secret although all was replaced, and of messages what to say about them."""
    compiled = [re.compile(expression) for expression in expressions]
    strip: dict[str, None] = {}
    left: dict[str, None] = {}
    for kind, blob in _objects(repository, holders):
        data, head = blob.data, b""
        if kind != "blob":  # only the message is rewritten, not the names before it
            head, gap, data = data.partition(b"\n\n")
            head += gap
        binary = kind == "blob" and b"\0" in data[:_SNIFFED]
        for expression in () if binary else compiled:
            data = expression.sub(REPLACEMENT, data)
        if any(True for _ in search.spellings(blob._replace(data=head + data))):
            if kind == "blob":
                strip[blob.id or ""] = None
            else:
                left[f"{kind} {blob.id}: a name or address in it; see --mailmap of git filter-repo"] = None
    return list(strip), list(left)


def _nameless(places: Iterable[Location]) -> list[str]:
    """Say of places that are in no object what to do there."""
    said = {
        where.origin.path or where.origin.via: f"{where.origin.via}: {where.origin.path or ''}".rstrip(": ")
        for where in places
        if not where.blob
    }
    return list(said.values())


def _expression(span: bytes) -> bytes:
    r"""Return a regular expression for just these bytes, on one line, whatever they are.

    >>> _expression(b"a/b\n")
    b'a\\x2fb\\x0a'
    """
    return b"".join(bytes([byte]) if chr(byte).isalnum() and byte < 128 else b"\\x%02x" % byte for byte in span)


def write(file: str, plan: Plan, repository: Repository) -> str | None:
    """Write the file for `--replace-text`, and beside it one for `--strip-blobs-with-ids` if that is needed; return its name.

    Only its owner may read it. Raises `UsageError` for a place in a repository: there it would be committed.
    """
    folder = os.path.realpath(os.path.dirname(os.path.abspath(file)))
    if not os.path.isdir(folder):
        raise UsageError(f"--replacements {file}: the folder {folder} does not exist; make it first")
    inside = any(_is_in(folder, top) for top in (repository.git_dir, repository.work_tree) if top)
    if inside or gitcommand.find(folder):
        raise UsageError(f"--replacements {file}: holds the secret, so it must stand outside of every repository")
    lines = b"".join(b"regex:" + expression + b"==>" + REPLACEMENT + b"\n" for expression in plan.expressions)
    _new(file, lines)
    if not plan.strip:
        return None
    _new(f"{file}.blobs", "".join(f"{id}\n" for id in plan.strip).encode())
    return f"{file}.blobs"


def _is_in(folder: str, top: str) -> bool:
    top = os.path.realpath(top)
    return folder == top or folder.startswith(top.rstrip(os.sep) + os.sep)


def _new(file: str, data: bytes) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
    except FileExistsError:
        raise UsageError(f"--replacements {file}: exists already; name another file, or delete it") from None
    except OSError as problem:
        raise UsageError(f"--replacements {file}: cannot be written: {problem.strerror}") from None
