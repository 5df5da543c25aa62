"""A blob's bytes as UTF-8, whatever Unicode encoding they were in.

A Windows shell writes UTF-16 when a command's output is redirected to a file, and some
tools do so without a mark. UTF-8 and every 8-bit encoding need nothing: the rules read
bytes, and credentials are ASCII.
"""

from __future__ import annotations

SAMPLE = 4096
"""How many bytes at the head of a blob decide what it is."""

# The longer marks first: that of UTF-32 in little-endian order begins with that of UTF-16.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
MARKS = tuple(mark for mark, _ in _MARKS)


def text_of(data: bytes) -> bytes:
    """Return the bytes as UTF-8 if they are UTF-16 or UTF-32, else unchanged.

    >>> text_of("key".encode("utf-16-be"))
    b'key'
    """
    codec = codec_of(data)
    return data if codec is None else recoded(data, codec)


def recoded(data: bytes, codec: str) -> bytes:
    """Return text in a codec as UTF-8."""
    return data.decode(codec, "replace").encode("utf-8", "replace")


def codec_of(data: bytes) -> str | None:
    """Return the codec of a UTF-16 or UTF-32 text, by its mark or by where its NUL bytes stand, else None."""
    head = data[:SAMPLE]
    if head.startswith(MARKS):
        return next(codec for mark, codec in _MARKS if head.startswith(mark))
    if b"\0" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    enough = len(head) // 2 * 0.7
    if enough and odd >= enough and even <= enough / 20:
        return "utf-16-le"
    if enough and even >= enough and odd <= enough / 20:
        return "utf-16-be"
    size = len(head) - len(head) % 4
    if size >= 8:
        first, second, third, fourth = (head[place:size:4].count(0) for place in range(4))
        full, none = size / 4 * 0.98, size / 4 * 0.05
        if first <= none and min(second, third, fourth) >= full:
            return "utf-32-le"
        if fourth <= none and min(first, second, third) >= full:
            return "utf-32-be"
    return None
