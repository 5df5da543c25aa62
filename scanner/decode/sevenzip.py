"""7z, where py7zr is installed (`keyleash[7z]`): read in memory, below the limits of every other archive.

An archive is put together from streams that hold many members each, so all of it is read
before the first member is handed on; what it says of itself is checked before that. py7zr
bounds the header that it unpacks, and given a factory it writes to no file.
Source of the methods and their properties: `DOC/Methods.txt` and `DOC/7zFormat.txt` of the LZMA SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from scanner.decode.limits import Budget, LimitReached

MEMORY = 128 * 1024 * 1024
"""The largest dictionary that an archive may ask for, in bytes."""

_LZMA, _LZMA2, _PPMD = b"\x03\x01\x01", b"\x21", b"\x03\x04\x01"


class Unreadable(Exception):
    """The message says why, as the end of a sentence about the archive."""


def members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each file, whose bytes the budget has paid for. Raises `Unreadable` and `LimitReached`."""
    try:
        import py7zr
    except ImportError:
        raise Unreadable("is a 7z archive; install keyleash[7z] to read it") from None
    try:
        with py7zr.SevenZipFile(BytesIO(data)) as archive:
            _check(archive, budget)
            writers = _Writers(budget)
            archive.extract(factory=writers)
    except (LimitReached, Unreadable):
        raise
    except py7zr.PasswordRequired:
        raise Unreadable("is encrypted") from None
    except Exception:  # a hostile one raises much beside Bad7zFile
        if budget.expanded < 0:
            raise LimitReached("expands to more than the limit") from None
        raise Unreadable("is a 7z archive that is damaged or compressed by a method that is not read") from None
    for writer in writers.made:
        yield writer.name, writer.content.getvalue()


def _check(archive: Any, budget: Budget) -> None:
    """Raise for an archive that says of itself that it is beyond a limit, or encrypted."""
    if archive.needs_password():
        raise Unreadable("is encrypted")
    for _ in archive.files:
        budget.member()
    if sum(entry.uncompressed for entry in archive.files) > budget.expanded:
        raise LimitReached("expands to more than the limit")
    streams = archive.header.main_streams
    for folder in streams.unpackinfo.folders if streams else ():
        if any(_memory(coder["method"], coder.get("properties") or b"") > MEMORY for coder in folder.coders):
            raise Unreadable("is a 7z archive that needs too much memory")


def _memory(method: bytes, properties: bytes) -> int:
    """Return how large a dictionary a coder asks for, in bytes.

    >>> _memory(b"\\x21", bytes([24]))
    16777216
    """
    if method == _LZMA2 and properties:
        size = properties[0]
        return (2 | size & 1) << (size // 2 + 11)
    if method in (_LZMA, _PPMD) and len(properties) >= 5:
        return int.from_bytes(properties[1:5], "little")
    return 0


class _Writer:
    """What py7zr writes one member to; each byte is paid for."""

    def __init__(self, name: str, budget: Budget) -> None:
        self.name = name
        self.content = BytesIO()
        self._budget = budget

    def write(self, data: bytes) -> int:
        self._budget.expand(len(data))
        return self.content.write(data)

    def read(self, size: int | None = None) -> bytes:
        return self.content.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.content.seek(offset, whence)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def size(self) -> int:
        return len(self.content.getbuffer())


class _Writers:
    """py7zr's factory of writers, in the order of the archive."""

    def __init__(self, budget: Budget) -> None:
        self.made: list[_Writer] = []
        self._budget = budget

    def create(self, filename: str) -> Any:
        writer = _Writer(filename, self._budget)
        self.made.append(writer)
        return writer
