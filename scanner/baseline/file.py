"""The file of a baseline: strict to read, one line an entry to write, and repaired after a merge.

Git joins two branches without asking as long as they do not insert lines at the same place.
So entries are sorted by fingerprint, which is random, nothing in the file counts or dates
them, and a heading for each first digit keeps entries apart while there are few.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scanner import yamlfile
from scanner.baseline import Baseline, Entry
from scanner.errors import BaselineError
from scanner.yamlfile import LINE, shown, suggestion

HEAD = """\
# Credentials that were looked at and accepted here. 'keyleash baseline' makes, audits, prunes and repairs this file;
# an entry accepts one credential under one rule, wherever it stands. It holds no secret, only keyed fingerprints.
version: 1
key: "{key}"  # keyleash:allow (it only keys the fingerprints)
accepted:
"""
DIGITS = "0123456789abcdef"
REPAIR = "'keyleash baseline update' repairs what a merge left"

_FIELDS = ("rule", "reason", "owner", "expires")
_ID = re.compile(r"([0-9a-f]{4})-([0-9a-f]{32})\Z")
_RULE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_ENTRY_LINE = re.compile(r"""\s*["']?[0-9a-f]{4}-[0-9a-f]{32}["']?\s*:\s*\{.*\}\s*(?:#.*)?\Z""")
_KEY_LINE = re.compile(r"""key:\s*["']?([0-9a-f]{64})["']?\s*(?:#.*)?\Z""")
_OTHER_LINE = re.compile(r"\s*(?:#.*)?\Z|version:\s*1\s*\Z|accepted:\s*(?:\{\s*\})?\s*\Z|---\s*\Z")
_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


def tag(key: bytes) -> str:
    """Return the four digits with which a key marks its entries, so that those of another key are known."""
    return hashlib.sha256(b"keyleash baseline\0" + key).hexdigest()[:4]


def new_key() -> bytes:
    """Return a new random key of 32 bytes."""
    return secrets.token_bytes(32)


def parse(text: bytes, name: str) -> Baseline:
    """Return what a baseline says. Raises `BaselineError` with file, line and remedy for anything that is not right."""
    marker = next(
        (number for number, line in enumerate(text.split(b"\n"), 1) if line.startswith((b"<<<<<<< ", b">>>>>>> "))), 0
    )
    if marker:
        raise BaselineError(f"{name}:{marker}: a merge left its conflict here; 'keyleash baseline update' joins both sides")
    try:
        data = yamlfile.parse(text, name, BaselineError)
    except BaselineError as problem:
        raise BaselineError(f"{problem}; restore the file with git, or {REPAIR}") from None
    fields = ("version", "key", "accepted")
    if not isinstance(data, dict):
        raise BaselineError(f"{name}:1: a baseline is a mapping with {', '.join(fields)}; 'keyleash baseline create' makes one")
    for field in data:
        if field not in (*fields, LINE):
            raise BaselineError(f"{name}: field '{shown(field)}' is not known{suggestion(field, fields)}")
    if data.get("version") != 1:
        raise BaselineError(f"{name}: field 'version' must be 1; a newer Keyleash may have written this file")
    key = data.get("key")
    if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{64}", key):
        raise BaselineError(f"{name}: field 'key' must be 64 hexadecimal digits; restore it with git")
    rows = data.get("accepted") or {}
    if not isinstance(rows, dict):
        raise BaselineError(f"{name}: field 'accepted' must be a mapping of fingerprints")
    entries = _entries(rows, bytes.fromhex(key), name)
    return Baseline(bytes.fromhex(key), entries, name)


def _entries(rows: Mapping[str, Any], key: bytes, name: str) -> dict[str, Entry]:
    own = tag(key)
    entries: dict[str, Entry] = {}
    foreign: list[str] = []
    for id, row in rows.items():
        if id == LINE:
            continue
        mark, entry = _entry(id, row, name, rows[LINE])
        if mark == own:
            entries[entry.fingerprint] = entry
        else:
            foreign.append(id)
    if foreign:
        many = "1 entry was" if len(foreign) == 1 else f"{len(foreign)} entries were"
        raise BaselineError(
            f"{name}: {many} made with another key than this file's ({foreign[0][:12]}…); they accept nothing here: "
            "'keyleash baseline update' removes them"
        )
    return entries


def _entry(id: str, row: Any, name: str, line: int) -> tuple[str, Entry]:
    """Return an entry and the mark of the key that made it."""
    where = f"{name}:{row.get(LINE, line) if isinstance(row, dict) else line}: the entry '{shown(str(id))}'"
    match = _ID.match(str(id))
    if not match:
        raise BaselineError(
            f"{where} is no fingerprint: 4 digits, a hyphen and 32 digits; 'keyleash baseline update' writes them"
        )
    if not isinstance(row, dict):
        raise BaselineError(f"{where} must be a mapping with {', '.join(_FIELDS)}")
    for field in row:
        if field not in (*_FIELDS, LINE):
            raise BaselineError(f"{where}: field '{shown(field)}' is not known{suggestion(field, _FIELDS)}")
    day = row.get("expires", "")
    values = {field: row.get(field, "") for field in _FIELDS} | {"expires": str(day) if isinstance(day, datetime.date) else day}
    for field, value in values.items():
        if not isinstance(value, str) or (field in ("rule", "reason") and not value.strip()):
            raise BaselineError(f"{where}: field '{field}' must be a text")
    if not _RULE.match(values["rule"]):
        raise BaselineError(f"{where}: field 'rule' must be the id of a rule")
    if values["expires"] and not _is_day(values["expires"]):
        raise BaselineError(f"{where}: field 'expires' must be a day, as in 2027-01-31")
    return match[1], Entry(match[2], **values)


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.match(text) and datetime.date.fromisoformat(text))
    except ValueError:
        return False


def until(text: str, today: str) -> str:
    """Return the day that a text names: '2027-01-31', or '90d' for so many days from today. Raises `ValueError` for neither.

    >>> until("90d", "2026-11-01")
    '2027-01-30'
    """
    if re.fullmatch(r"[0-9]{1,4}d", text):
        return str(datetime.date.fromisoformat(today) + datetime.timedelta(days=int(text[:-1])))
    if not _is_day(text):
        raise ValueError("name a day, as in 2027-01-31, or a number of days, as in 90d")
    return text


class Draft(NamedTuple):
    """A baseline as a merge may have left it: its keys, of which the first counts, and entries with the mark of their key."""

    keys: tuple[bytes, ...]
    entries: tuple[tuple[str, Entry], ...]


def draft(text: bytes, name: str) -> Draft:
    """Read a baseline line by line, the union of both sides of every conflict. Raises `BaselineError` for a line that is none.

    Where the sides say different things of one credential, the first reason stands, with the earlier last day.
    """
    keys: dict[bytes, None] = {}
    entries: dict[tuple[str, str], Entry] = {}
    ancestor = False
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        if line.startswith(_MARKERS):
            ancestor = line.startswith("|||||||")
        elif ancestor:
            continue
        elif found := _KEY_LINE.match(line):
            keys[bytes.fromhex(found[1])] = None
        elif _ENTRY_LINE.match(line):
            ((id, row),) = ((id, row) for id, row in yamlfile.parse(line.encode(), name, BaselineError).items() if id != LINE)
            mark, entry = _entry(id, row, name, number)
            before = entries.get((mark, entry.fingerprint))
            entries[mark, entry.fingerprint] = _stricter(before, entry) if before else entry
        elif not _OTHER_LINE.match(line):
            raise BaselineError(f"{name}:{number}: is no entry of a baseline; correct the line, or restore the file with git")
    if not keys:
        raise BaselineError(f"{name}: field 'key' is missing; restore it with git")
    return Draft(tuple(keys), tuple((mark, entry) for (mark, _), entry in entries.items()))


def _stricter(one: Entry, other: Entry) -> Entry:
    days = sorted(day for day in (one.expires, other.expires) if day)
    return one._replace(expires=days[0] if days else "", owner=one.owner or other.owner)


def format(key: bytes, entries: Iterable[Entry]) -> str:
    """Return the text of a baseline: sorted, one line an entry, below the heading of its first digit."""
    mark = tag(key)
    rows: dict[str, list[str]] = {digit: [] for digit in DIGITS}
    for entry in sorted(entries):
        rows[entry.fingerprint[0]].append(f"  {mark}-{entry.fingerprint}: {{{_fields(entry)}}}\n")
    return HEAD.format(key=key.hex()) + "".join(f"  # {digit}\n{''.join(lines)}" for digit, lines in rows.items())


def _fields(entry: Entry) -> str:
    said = [f"rule: {entry.rule}"]
    said += [f"expires: {entry.expires}"] if entry.expires else []
    said += [f"owner: {_quoted(entry.owner)}"] if entry.owner else []
    return ", ".join([*said, f"reason: {_quoted(entry.reason)}"])


def _quoted(text: str) -> str:
    """Return a text as YAML in double quotes, on one line, without what a terminal would not show."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return json.dumps(" ".join(plain.split()), ensure_ascii=False)


def write(file: str, key: bytes, entries: Iterable[Entry]) -> None:
    """Write a baseline, whole or not at all. Raises `BaselineError` when the place cannot be written."""
    folder = os.path.dirname(os.path.abspath(file))
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".keyleash-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(format(key, entries))
            os.chmod(temporary, 0o644)
            os.replace(temporary, file)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as problem:
        raise BaselineError(f"{file}: cannot be written: {problem.strerror}") from None
