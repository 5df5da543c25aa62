"""Tar, read as a stream of bounded memory.

`tarfile` keeps every member and believes a header that announces gigabytes of name; what
is needed here is less: names and content, of ustar, GNU and pax archives.
Source: https://www.gnu.org/software/tar/manual/html_node/Standard.html and POSIX pax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

Read = Callable[[int], bytes]

BLOCK = 512
_MAX_HEADER = 1024 * 1024
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_FILES = (b"0", b"\0", b"7", b"S")
_SPARSE = b"S"


class TarError(Exception):
    """The archive is damaged from here on."""


def is_tar(head: bytes) -> bool:
    """Whether bytes begin with a tar header: the magic at its place and the sum right."""
    return head[257:262] == b"ustar" and len(head) >= BLOCK and _sum_is_right(head[:BLOCK])


def members(read: Read) -> Iterator[tuple[str, int, Read]]:
    """Yield (name, size, read) of each file. `read(count)` gives the content, and what is not read is passed over.

    Raises `TarError` at the first header that is none, and for content that ends early.
    """
    name: str | None = None
    size: int | None = None
    while True:
        header = _exactly(read, BLOCK, allow_end=True)
        if not header.strip(b"\0"):
            return
        if not _sum_is_right(header):
            raise TarError("has a damaged header")
        kind = header[156:157]
        if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
            record = _record(read, _number(header[124:136]))
            if kind == _LONG_NAME:
                name = record.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif kind == _PAX:
                said = _pax(record)
                name = said.get(b"path", b"").decode("utf-8", "surrogateescape") or name
                size = int(said[b"size"]) if said.get(b"size", b"").isdigit() and len(said[b"size"]) < 20 else size
            continue
        length = _number(header[124:136]) if size is None else size
        if kind == _SPARSE:
            _skip_sparse_headers(read, header)
        if kind in _FILES:
            content = _Content(read, length)
            yield name or _name(header), length, content.read
            content.skip()
        elif kind not in b"123456":  # a link, a device or a folder has no content
            _Content(read, length).skip()
        name = size = None


class _Content:
    """The bytes of one member, which must be passed over before the next header."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._left = size
        self._padding = -size % BLOCK

    def read(self, count: int) -> bytes:
        data = _exactly(self._read, min(count, self._left))
        self._left -= len(data)
        return data

    def skip(self) -> None:
        left = self._left + self._padding
        while left:
            left -= len(_exactly(self._read, min(left, 1024 * 1024)))
        self._left = self._padding = 0


def _exactly(read: Read, count: int, allow_end: bool = False) -> bytes:
    data = read(count) if count else b""
    if len(data) < count and not (allow_end and not data):
        raise TarError("ends early")
    return data


def _record(read: Read, size: int) -> bytes:
    if size > _MAX_HEADER:
        raise TarError("has a header that is too large")
    return _exactly(read, size + -size % BLOCK)[:size]


def _pax(record: bytes) -> dict[bytes, bytes]:
    """Read the `length key=value` lines of a pax header."""
    said: dict[bytes, bytes] = {}
    while record:
        digits, space, _ = record[:16].partition(b" ")
        if not space or not digits.isdigit() or int(digits) <= len(digits) + 1:
            break
        key, _, value = record[len(digits) + 1 : int(digits)].rstrip(b"\n").partition(b"=")
        said[key] = value
        record = record[int(digits) :]
    return said


def _skip_sparse_headers(read: Read, header: bytes) -> None:
    more = header[482:483] not in (b"", b"\0")
    while more:
        more = _exactly(read, BLOCK)[504:505] != b"\0"


def _number(text: bytes) -> int:
    if text[0] & 0x80:  # base 256, for what eleven octal digits cannot say
        value = int.from_bytes(bytes([text[0] & 0x7F]) + text[1:], "big")
        if text[0] & 0x40:
            raise TarError("has a damaged header")
        return value
    digits = text.strip(b" \0")
    if digits and (digits.strip(b"01234567") or len(digits) > 12):
        raise TarError("has a damaged header")
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    if prefix and header[257:263] == b"ustar\0":
        name = prefix + b"/" + name
    return name.decode("utf-8", "surrogateescape")


def _sum_is_right(header: bytes) -> bool:
    """Whether the header's checksum, which counts its own field as spaces, fits."""
    said = header[148:156].strip(b" \0")
    if not said or said.strip(b"01234567"):
        return False
    return sum(header) - sum(header[148:156]) + 8 * 32 == int(said, 8)
