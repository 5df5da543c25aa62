"""git's packs, opened for reading in place: which objects there are, and where each stands.

`git cat-file` rebuilds every version of a file by itself. A reader of the pack sees how
the versions are stored, as changes against each other, and can look at the changes alone
(see `deltas`). Formats: https://git-scm.com/docs/gitformat-pack.
"""

from __future__ import annotations

import mmap
import os
import stat
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
_decompressobj: Callable[[], Any] = zlib.decompressobj
try:  # inflates in a little more than half the time
    from isal import isal_zlib

    _decompressobj = isal_zlib.decompressobj
except ImportError:  # pragma: no cover - on a platform without a wheel
    pass

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LARGE = 0x80000000


class Corrupt(Exception):
    """Something of the object store is not what its format says. The message is the reason in words for people."""


@dataclass(frozen=True, slots=True)
class PackName:
    """Where a pack is: the path of its index without `.idx`, and the bytes of an object id (20, or 32 with SHA-256)."""

    stem: str
    hash_size: int

    @property
    def pack(self) -> str:
        return self.stem + ".pack"


class Index:
    """A pack's index. Objects are numbered in the order of their ids; `offsets` says where each begins in the pack.

    Versions 1 and 2 are read, offsets of 64 bits included. Raises `Corrupt` for anything else.
    """

    def __init__(self, name: PackName) -> None:
        self._size = name.hash_size
        self._data = data = mapped(name.stem + ".idx")
        version = int.from_bytes(data[4:8], "big") if data[:4] == b"\xfftOc" else 1
        if version not in (1, 2):
            raise Corrupt(f"the index of the pack has version {version}, which is not known")
        fan = 8 if version == 2 else 0
        self._fan: list[int] = np.frombuffer(data[fan : fan + 1024], ">u4").tolist() if len(data) >= fan + 1024 else []
        self.count = count = self._fan[-1] if self._fan else -1
        least = fan + 1024 + count * (self._size + 4 * fan // 4 + (0 if fan else 4)) + 2 * self._size
        if count < 0 or self._fan != sorted(self._fan) or len(data) < least:
            raise Corrupt("the index of the pack is damaged")
        self._first, self._step = (fan + 1024, self._size) if fan else (1024 + 4, self._size + 4)
        self.checksum = data[len(data) - 2 * self._size : len(data) - self._size]

    def id(self, number: int) -> bytes:
        start = self._first + number * self._step
        return self._data[start : start + self._size]

    def find(self, id: bytes) -> int | None:
        """Return the number of an object, or None when the pack does not hold it."""
        low = self._fan[id[0] - 1] if id[0] else 0
        high = self._fan[id[0]]
        number = bisect_left(range(self.count), id, low, high, key=self.id)
        return number if number < high and self.id(number) == id else None

    @cached_property
    def offsets(self) -> Column:
        """Where each object begins in the pack, as unsigned numbers of 64 bits. Raises `Corrupt`."""
        if self._step > self._size:  # version 1: an offset and an id in turn
            rows = np.frombuffer(self._data[1024 : 1024 + self.count * self._step], np.uint8).reshape(self.count, self._step)
            return rows[:, :4].copy().view(">u4")[:, 0].astype(np.uint64)
        start = self._first + self.count * (self._size + 4)
        end = start + 4 * self.count
        offsets = np.frombuffer(self._data[start:end], ">u4").astype(np.uint64)
        far = np.flatnonzero(offsets >= _LARGE)
        if len(far):
            spare = len(self._data) - 2 * self._size - end
            large = np.frombuffer(self._data[end : end + spare // 8 * 8], ">u8")
            places = offsets[far] - np.uint64(_LARGE)
            if places.max() >= len(large):
                raise Corrupt("the index of the pack is damaged")
            offsets[far] = large[places]
        return offsets


class Pack:
    """A pack and its index. `data` is the mapped file; `end` is where its last object ends. Raises `Corrupt`."""

    def __init__(self, name: PackName) -> None:
        self.name = name
        self.index = Index(name)
        self.data = mapped(name.pack)
        self.end = len(self.data) - name.hash_size
        version, count = int.from_bytes(self.data[4:8], "big"), int.from_bytes(self.data[8:12], "big")
        if self.data[:4] != b"PACK" or version not in (2, 3) or self.end < 12:
            raise Corrupt("the pack has no header that is known")
        if count != self.index.count or self.data[self.end :] != self.index.checksum:
            raise Corrupt("the pack and its index do not belong together")

    def read(self, at: int, count: int) -> bytes:
        """Return bytes of the pack, for a reader that goes on from there and does not come back soon."""
        data = self.data[at : at + count]
        self.forget()
        return data

    def forget(self) -> None:
        """Give the mapped pages back: the file stays cached, but is no memory of this process any more."""
        if hasattr(self.data, "madvise"):
            self.data.madvise(mmap.MADV_DONTNEED)


def inflate(view: memoryview | bytes, size: int) -> bytes:
    """Return the `size` bytes that a zlib stream holds; no more than that is ever inflated. Raises `Corrupt`."""
    try:
        stream = _decompressobj()
        data = stream.decompress(view, size + 1)
    except Exception:  # each library has its own; whether the stream is damaged zlib alone decides
        return _inflate(view, size)
    return data if len(data) == size and stream.eof else _inflate(view, size)


def _inflate(view: memoryview | bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(view, size + 1)
    except zlib.error:
        raise Corrupt("its data is damaged") from None
    if len(data) != size or not stream.eof:
        raise Corrupt("its data is damaged: it has not the length it should have")
    return data


def mapped(path: str) -> mmap.mmap:
    """Map a regular file. Raises `Corrupt` when there is none to read."""
    try:
        handle = os.open(path, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Corrupt("it is no regular file")
            return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(handle)
    except (OSError, ValueError) as problem:
        raise Corrupt(f"it cannot be read: {getattr(problem, 'strerror', None) or 'it is empty'}") from None


def checksum(name: PackName) -> bytes | None:
    """Return what tells one pack with its index from all others: their checksums, as the index ends with them."""
    try:
        with open(name.stem + ".idx", "rb", opener=opener) as file:
            file.seek(-2 * name.hash_size, os.SEEK_END)
            mark = file.read(2 * name.hash_size)
            return mark + os.stat(name.pack).st_size.to_bytes(8, "big") if len(mark) == 2 * name.hash_size else None
    except OSError:
        return None


def pack_names(folder: str, hash_size: int) -> Iterator[PackName]:
    """Yield the packs of one object directory that have an index."""
    place = os.path.join(folder, "pack")
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return
    for name in names:
        if name.startswith("pack-") and name.endswith(".idx"):
            yield PackName(os.path.join(place, name[:-4]), hash_size)


def opened_indexes(folder: str, hash_size: int) -> list[Index]:
    """Return the indexes of one object directory, but for those that cannot be read."""
    found = []
    for name in pack_names(folder, hash_size):
        try:
            found.append(Index(name))
        except (Corrupt, ValueError, IndexError, OSError):
            continue
    return found


def opener(path: str, flags: int) -> int:
    """Open for reading what may be a pipe that nobody writes to; for `open`."""
    return os.open(path, _OPEN)
