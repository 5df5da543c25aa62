"""Reading objects by id through one `git cat-file --batch`."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from typing import IO, NamedTuple

from scanner.gitcommand import SPARING, Repository
from scanner.model import Blob, Origin, Skipped
from scanner.sources.pieces import PIECE, pieces


class Wanted(NamedTuple):
    """An object to read, and where it was met."""

    id: str
    origin: Origin


def read_many(repository: Repository, wanted: Iterable[Wanted]) -> Iterator[tuple[str, Blob] | Skipped]:
    """Yield (type, blob) for each object, large ones in pieces, and `Skipped` for what git cannot give.

    The ids are fed from a thread, so that neither side waits with a full pipe.
    """
    order = list(wanted)
    if not order:
        return
    position = 0
    while position < len(order):
        # git ends at an object it finds corrupt; the next round goes on behind it.
        with repository.open(*SPARING, "cat-file", "--batch", "--buffer", stdin=-1) as process:
            assert process.stdin
            assert process.stdout
            feeder = threading.Thread(target=_feed, args=(process.stdin, order[position:]), daemon=True)
            feeder.start()
            for position, want in enumerate(order[position:], start=position):  # noqa: B020 - read once, before
                header = process.stdout.readline().split()
                if len(header) == 2 and header[1] == b"missing":
                    yield Skipped(_name(want), "the object is missing from this clone or corrupt, and nothing is fetched")
                    continue
                whole = len(header) == 3
                if whole:
                    whole = yield from _content(process.stdout, want, header[1].decode(), int(header[2]))
                if not whole:
                    yield Skipped(_name(want), _why(repository))
                    break
            position += 1


def read_one(repository: Repository, id: str) -> bytes | None:
    """Return the content of one blob, or None when git cannot give it."""
    result = repository.attempt("cat-file", "blob", id)
    return result.stdout if result.returncode == 0 else None


def _why(repository: Repository) -> str:
    """Return why git died of an object: in a partial clone, of one that it may not fetch."""
    from scanner.sources.objectstore import object_store  # a hook has no use for it

    if object_store(repository).is_partial():
        return "the object is missing from this partial clone, and nothing is fetched"
    return "git cannot read this object: it is corrupt"


def _content(stream: IO[bytes], want: Wanted, kind: str, size: int) -> Generator[tuple[str, Blob], None, bool]:
    """Yield an object's content and return whether all of it came."""
    left = size

    def read(count: int) -> bytes:
        nonlocal left
        data = stream.read(min(count, left))
        left -= len(data)
        return data

    blob = Blob(b"", want.origin, want.id)
    if size < PIECE:
        yield kind, blob._replace(data=read(size))
    else:
        for piece in pieces(read, blob):
            yield kind, piece
    return left == 0 and stream.read(1) == b"\n"  # the line feed behind every object


def _feed(pipe: IO[bytes], order: list[Wanted]) -> None:
    try:
        with pipe:
            for start in range(0, len(order), 1000):
                pipe.write(b"".join(want.id.encode() + b"\n" for want in order[start : start + 1000]))
    except (BrokenPipeError, ValueError):
        pass  # the reader has stopped


def _name(want: Wanted) -> str:
    return f"{want.origin.path} ({want.id})" if want.origin.path else f"object {want.id}"
