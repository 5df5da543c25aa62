"""Archives and compressed files, by what they begin with and not by their name.

Everything is read as a stream and in memory; no name in an archive ever becomes a path.
What is not read - a format or a method that is unknown here, an encrypted or damaged
member, whatever is above a limit - is yielded as a reason in words.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from scanner.decode import tar
from scanner.decode.kinds import kind_of
from scanner.decode.limits import OVERLAP, PIECE, Budget, LimitReached

if TYPE_CHECKING:
    import zipfile

_LZMA_MEMORY = 128 * 1024 * 1024
_STEP = 256 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """Content found in an archive, whole or a piece of it, and the way to it from there."""

    way: tuple[str, ...]
    data: bytes = field(repr=False)
    packed: bytes = b""
    """The digest of its compressed bytes, where it is known."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What was not read, and why."""

    way: tuple[str, ...]
    reason: str


def digest(kind: str, data: bytes) -> bytes:
    """Return what tells compressed bytes from all others."""
    return hashlib.blake2b(data, digest_size=16, person=kind.encode()[:16]).digest()


def contents(data: bytes, kind: str, budget: Budget, dull: Container[bytes] = ()) -> Iterator[Member | Unread]:
    """Yield what an archive holds, in its order, and what of it was not read; of a zip archive no member that is `dull`."""
    reader = _READERS.get(kind)
    if reader is None:
        yield Unread((kind,), f"is a {kind} archive, a format that is not read")
        return
    try:
        yield from _zip(data, kind, budget, dull) if kind == "zip" else reader(data, kind, budget)
    except LimitReached as limit:
        yield Unread((kind,), str(limit))


def _zip(data: bytes, kind: str, budget: Budget, dull: Container[bytes] = ()) -> Iterator[Member | Unread]:
    import zipfile

    if data.count(b"PK\x01\x02") > budget.limits.members:
        raise LimitReached(f"has more than {budget.limits.members:,} members")
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except Exception:  # a hostile one raises much beside BadZipFile
        yield Unread((kind,), "is a zip archive that is damaged or cut off")
        return
    with archive:
        for info in archive.infolist():
            if info.filename.endswith("/"):  # is_dir() fails on a member without a name
                continue
            budget.member()
            way = (kind, info.filename)
            if info.flag_bits & 1:
                yield Unread(way, "is encrypted")
                continue
            packed = _packed(data, info)
            if packed and packed in dull:
                continue
            try:
                with archive.open(info) as file:
                    yield from _pieces(file.read, way, budget, packed)
            except NotImplementedError:
                yield Unread(way, "is compressed by a method that is not read")
            except LimitReached:
                raise
            except Exception:
                yield Unread(way, "is damaged")


def _packed(data: bytes, info: zipfile.ZipInfo) -> bytes:
    """Return the digest of a member's compressed bytes; nothing for a long one, or where its header is elsewhere."""
    names = data[info.header_offset + 26 : info.header_offset + 30]
    start = info.header_offset + 30 + int.from_bytes(names[:2], "little") + int.from_bytes(names[2:], "little")
    raw = data[start : start + info.compress_size]
    whole = len(raw) == info.compress_size and info.file_size < PIECE
    return digest(f"zip {info.compress_type}", raw) if raw and whole else b""


def _tar(data: bytes, kind: str, budget: Budget) -> Iterator[Member | Unread]:
    yield from _tar_members(BytesIO(data).read, (kind,), budget)


def _tar_members(read: tar.Read, way: tuple[str, ...], budget: Budget) -> Iterator[Member | Unread]:
    try:
        for name, _, content in tar.members(read):
            budget.member()
            yield from _pieces(content, (*way, name), budget)
    except tar.TarError as problem:
        yield Unread(way, f"is a tar archive that {problem}")


def _compressed(data: bytes, kind: str, budget: Budget) -> Iterator[Member | Unread]:
    stream = _Stream(data, kind, budget)
    budget.member()
    head = stream.read(tar.BLOCK)
    stream.unread(head)
    if tar.is_tar(head):
        yield from _tar_members(stream.read, (kind, "tar"), _Free(budget))
    else:
        yield from _pieces(stream.read, (kind,), _Free(budget))
    if stream.problem:
        yield Unread((kind,), stream.problem)


def _seven(data: bytes, kind: str, budget: Budget) -> Iterator[Member | Unread]:
    from scanner.decode import sevenzip

    try:
        for name, content in sevenzip.members(data, budget):
            yield from _pieces(BytesIO(content).read, (kind, name), _Free(budget))
    except sevenzip.Unreadable as problem:
        yield Unread((kind,), str(problem))


_READERS: dict[str, Callable[[bytes, str, Budget], Iterator[Member | Unread]]] = {
    "zip": _zip,
    "tar": _tar,
    "gzip": _compressed,
    "bzip2": _compressed,
    "xz": _compressed,
    "7z": _seven,
}


class _Free(Budget):
    """A budget whose bytes the stream underneath has already paid for."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(0, 0, budget.limits)
        self._budget = budget

    def expand(self, count: int) -> None:
        pass

    def member(self) -> None:
        self._budget.member()


class _Stream:
    """The decompressed content of gzip, bzip2 or xz, of all members that follow each other.

    Behind the last member may stand anything, as gzip(1) allows; it was scanned with the
    compressed bytes. A damaged stream ends, and `problem` says so.
    """

    def __init__(self, data: bytes, kind: str, budget: Budget) -> None:
        self._data = memoryview(data)
        self._kind = kind
        self._budget = budget
        self._position = 0
        self._pending = b""
        self._waiting = b""
        self._decompressor = _decompressor(kind)
        self.problem = ""

    def unread(self, data: bytes) -> None:
        self._waiting = data + self._waiting

    def read(self, count: int) -> bytes:
        """Return `count` bytes, fewer only at the end. Raises `LimitReached`."""
        parts = [self._waiting[:count]]
        self._waiting = self._waiting[count:]
        left = count - len(parts[0])
        while left > 0:
            part = self._some(min(left, _STEP))
            if not part:
                break
            self._budget.expand(len(part))
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _some(self, count: int) -> bytes:
        while not self.problem:
            if self._decompressor.eof and not self._next_member():
                return b""
            try:
                part = self._decompress(count)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError):
                self.problem = f"is a {self._kind} file that is damaged or needs too much memory"
                return b""
            if part:
                return part
            if not self._decompressor.eof and self._at_end():
                self.problem = f"is a {self._kind} file that ends early"
        return b""

    def _at_end(self) -> bool:
        return self._position >= len(self._data) and not self._pending

    def _decompress(self, count: int) -> bytes:
        machine = self._decompressor
        if self._kind == "gzip":
            part: bytes = machine.decompress(self._pending or self._take(), count)
            self._pending = machine.unconsumed_tail
        else:
            part = machine.decompress(self._take() if machine.needs_input else b"", count)
        return part

    def _take(self) -> bytes:
        piece = bytes(self._data[self._position : self._position + _STEP])
        self._position += len(piece)
        return piece

    def _next_member(self) -> bool:
        rest = self._decompressor.unused_data
        position = self._position - len(rest)
        head = bytes(self._data[position : position + 64])
        if self._kind != "bzip2":
            padding = len(head) - len(head.lstrip(b"\0"))
            position, head = position + padding, head[padding:]
        if kind_of(head) != self._kind:
            return False
        self._budget.member()
        self._position, self._pending = position, b""
        self._decompressor = _decompressor(self._kind)
        return True


def _decompressor(kind: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(wbits=31)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)


def _pieces(read: tar.Read, way: tuple[str, ...], budget: Budget, packed: bytes = b"") -> Iterator[Member]:
    """Yield content in pieces that overlap, as `scanner.sources.pieces` does for large files."""
    data = _read(read, PIECE, budget)
    while True:
        if data:
            yield Member(way, data, packed)
        if len(data) < PIECE:
            return
        rest = _read(read, PIECE - OVERLAP, budget)
        if not rest:
            return
        data = data[-OVERLAP:] + rest


def _read(read: tar.Read, count: int, budget: Budget) -> bytes:
    parts = []
    while count > 0:
        part = read(min(count, _STEP))
        if not part:
            break
        budget.expand(len(part))
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
