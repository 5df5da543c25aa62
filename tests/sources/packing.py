"""Repositories and packs for the tests of the history source: real ones by git, and crafted ones byte by byte."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

from scanner.examples import expand
from scanner.gitcommand import Repository, find
from scanner.model import Report, Rule, RuleSet
from scanner.pipeline import scan, sight
from scanner.rules import load_builtin, pattern_width, ruleset_of
from scanner.sources.fasthistory import FastHistory
from scanner.sources.history import History

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
Copy = tuple[int, int]
Edit = Copy | bytes


class Store:
    """A repository in a temporary folder, without the user's or the machine's configuration.

    All is done at the same second, unless time `ticks` from one call of git to the next.
    """

    def __init__(self, path: Path, *options: str, clone: str | None = None, ticks: bool = False) -> None:
        self.path = path
        self._seconds, self._step = 1_700_000_000, 60 * ticks
        path.mkdir(parents=True, exist_ok=True)
        if clone is None:
            self.git("init", "-q", "-b", "main", *options)
        else:
            self.git("clone", "-q", *options, clone, ".")

    def git(self, *arguments: str, stdin: bytes | None = None, check: bool = True) -> bytes:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_DATE": f"{self._seconds} +0000",
                "GIT_COMMITTER_DATE": f"{self._seconds} +0000"}  # fmt: skip
        self._seconds += self._step
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": "Ann", f"GIT_{role}_EMAIL": "ann@example.org"}
        command = ["git", "-c", "protocol.file.allow=always", "-c", "gc.auto=0", *arguments]
        result = subprocess.run(command, cwd=self.path, env=env, capture_output=True, check=False, input=stdin)
        assert result.returncode == 0 or not check, result.stderr.decode()
        return result.stdout

    def commit(self, files: dict[str, bytes], message: str = "a change") -> str:
        for name, content in files.items():
            (self.path / name).write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").decode().strip()

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def repack(self, *options: str) -> None:
        self.git("repack", "-adfq", *options)
        self.git("prune-packed", "-q")

    @property
    def objects(self) -> Path:
        return self.path / ".git" / "objects"

    @property
    def repository(self) -> Repository:
        found = find(str(self.path))
        assert found
        return found

    def packs(self) -> list[Path]:
        return sorted((self.objects / "pack").glob("*.pack"))

    def add_pack(self, entries: Sequence[bytes], *options: str) -> Path:
        """Put a crafted pack into the store and have git make its index."""
        path = self.objects / "pack" / f"pack-{len(self.packs()):040x}.pack"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pack(entries))
        self.git("index-pack", *options, str(path))
        return path


def expect_same(store: Store, jobs: int = 1, rules: RuleSet | None = None) -> Report:
    """Scan the fast and the plain way, hold them against each other, and return the fast way's report."""
    rules = rules or load_builtin()
    fast = scan([FastHistory(store.repository, sight(rules), jobs)], rules)
    plain = scan([History(store.repository)], rules)
    assert findings(fast) == findings(plain)
    assert fast.coverage == plain.coverage
    return fast


def findings(report: Report) -> set[tuple[object, ...]]:
    return {
        (found.rule.id, found.fingerprint, found.confidence, found.severity, frozenset(found.evidence),
         where.blob, where.line, where.column, where.end_line, where.end_column, where.origin)
        for found in report.findings
        for where in found.locations
    }  # fmt: skip


def blobs_of(report: Report, rule: str) -> set[str | None]:
    return {where.blob for found in report.findings if found.rule.id == rule for where in found.locations}


def made_up_rules(*patterns: str) -> RuleSet:
    """Return rules of which each reports every match of its pattern."""
    return ruleset_of(
        Rule(f"rule-{number}", "test token", pattern, (pattern,), pattern_width(pattern), pattern_width(pattern), "pattern",
             "high", "high", False, 0.0, "why", "fix", ("https://example.org",), ("x",), ("y",), "")
        for number, pattern in enumerate(patterns)
    )  # fmt: skip


class Secrets:
    """Credentials that are made when they are needed, the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def aws_id(self) -> str:
        return expand("AK" + "IAZ{{base32:15}}", self._random.getrandbits(64))

    def aws_secret(self) -> str:
        from scanner.confirm.aws import plausible_secret

        while not plausible_secret((text := expand("{{secret:40}}", self._random.getrandbits(64))).encode()):
            pass
        return text

    def words(self, count: int) -> bytes:
        """Return lines of text that hold no credential."""
        return "".join(" ".join(self._word() for _ in range(6)) + "\n" for _ in range(count)).encode()

    def _word(self) -> str:
        return self._random.choice(("alpha", "beta", "gamma", "delta", "omega")) + str(self._random.randrange(99))


def entry(kind: int, size: int, data: bytes, base: bytes = b"") -> bytes:
    """Return a pack's entry: header, what names the base, zlib stream. Source: gitformat-pack(5)."""
    head = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head) + base + zlib.compress(data)


def whole(data: bytes, kind: str = "blob") -> bytes:
    return entry(KINDS[kind], len(data), data)


def ref_delta(base: bytes, delta: bytes) -> bytes:
    return entry(7, len(delta), delta, base)


def ofs_delta(back: int, delta: bytes) -> bytes:
    coded = bytearray([back & 127])
    back >>= 7
    while back:
        back -= 1
        coded.insert(0, 128 | back & 127)
        back >>= 7
    return entry(6, len(delta), delta, bytes(coded))


def pack(entries: Sequence[bytes]) -> bytes:
    data = b"PACK" + (2).to_bytes(4, "big") + len(entries).to_bytes(4, "big") + b"".join(entries)
    return data + hashlib.sha1(data).digest()


def index(pack: bytes, places: dict[bytes, int]) -> bytes:
    """Return an index of version 2 for a pack that `git index-pack` would refuse."""
    ids = sorted(places)
    fan = b"".join(sum(id[0] <= first for id in ids).to_bytes(4, "big") for first in range(256))
    offsets = b"".join(places[id].to_bytes(4, "big") for id in ids)
    data = b"\xfftOc\0\0\0\2" + fan + b"".join(ids) + bytes(4 * len(ids)) + offsets + pack[-20:]
    return data + hashlib.sha1(data).digest()


def object_id(data: bytes, kind: str = "blob") -> bytes:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).digest()


def delta(base: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the delta that copies (offset, length) ranges of a base and inserts bytes, in the given order."""
    out = bytearray(_size(len(base)) + _size(len(edited(base, edits))))
    for edit in edits:
        if isinstance(edit, bytes):
            for at in range(0, len(edit), 127):
                part = edit[at : at + 127]
                out += bytes([len(part)]) + part
        else:
            start, count = edit
            for at in range(start, start + count, 0xFFFFFF):
                out += _copy(at, min(0xFFFFFF, start + count - at))
    return bytes(out)


def edited(base: bytes, edits: Sequence[Edit]) -> bytes:
    return b"".join(edit if isinstance(edit, bytes) else base[edit[0] : edit[0] + edit[1]] for edit in edits)


def _copy(offset: int, count: int) -> bytes:
    code, rest = 128, bytearray()
    for bit, byte in enumerate(offset.to_bytes(4, "little") + (b"\0\0\0" if count == 65536 else count.to_bytes(3, "little"))):
        if byte:
            code |= 1 << bit
            rest.append(byte)
    return bytes([code]) + rest


def _size(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(128 | value & 127)
        value >>= 7
    return bytes(out) + bytes([value])
