"""Cutting content that is too large to hold into pieces that overlap.

The overlap is longer than any credential with its surroundings, so what one piece cuts
in two the next one holds whole; what both hold is one place in the report, because
places are compared by line and column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scanner.model import Blob

PIECE = 32 * 1024 * 1024
OVERLAP = 1024 * 1024


def pieces(read: Callable[[int], bytes], whole: Blob, piece: int = PIECE, overlap: int = OVERLAP) -> Iterator[Blob]:
    """Yield `whole` with the bytes that `read(size)` delivers, in pieces of at most `piece` bytes.

    `read` returns fewer bytes than asked for only at the end of the content.
    """
    data = read(piece)
    line, column = 1, 1
    while True:
        yield whole._replace(data=data, line=line, column=column)
        if len(data) < piece:
            return
        rest = read(piece - overlap)
        if not rest:
            return
        passed = data[:-overlap]
        line += passed.count(b"\n")
        last = passed.rfind(b"\n")
        column = len(passed[last + 1 :].decode("utf-8", "replace")) + (column if last < 0 else 1)
        data = data[-overlap:] + rest
