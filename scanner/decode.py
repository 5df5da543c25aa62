"""What a blob holds beside its own bytes.

The first chunk of a blob is the blob itself, as UTF-8. A Windows shell writes UTF-16 when
a command's output is redirected to a file, so a file that is UTF-16 is read as such.
"""

from __future__ import annotations

from collections.abc import Iterator

from scanner.model import Chunk

_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_SAMPLE = 4096


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield what is to be scanned of a blob, beginning with its text."""
    codec = _utf16(data)
    text = data if codec is None else data.decode(codec, "replace").encode("utf-8", "replace")
    yield Chunk(text, text)


def _utf16(data: bytes) -> str | None:
    """Return the codec of a UTF-16 text, by its mark or by where its NUL bytes stand, else None."""
    codec = _MARKS.get(data[:2])
    if codec or b"\0" not in data[:_SAMPLE]:
        return codec
    even, odd = data[:_SAMPLE:2].count(0), data[1:_SAMPLE:2].count(0)
    enough = min(len(data), _SAMPLE) // 2 * 0.7
    if odd >= enough and even <= enough / 20:
        return "utf-16-le"
    if even >= enough and odd <= enough / 20:
        return "utf-16-be"
    return None
