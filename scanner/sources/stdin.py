"""Standard input, under a name the user gives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import IO, NamedTuple

from scanner.model import Blob, Coverage, Item, Origin
from scanner.sources.pieces import pieces


class Stdin(NamedTuple):
    stream: IO[bytes]
    path: str = "<stdin>"

    def items(self) -> Iterator[Item]:
        size = 0

        def read(count: int) -> bytes:
            nonlocal size
            data = self.stream.read(count)
            size += len(data)
            return data

        yield from pieces(read, Blob(b"", Origin("standard input", self.path)))
        yield Coverage(blobs=bool(size), bytes=size)

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}
