"""All encodings of a text at once: from triggers to decoded stretches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scanner.decode import base64runs, escapes, hexadecimal
from scanner.decode.edits import Rewritten
from scanner.decode.kinds import kind_of
from scanner.decode.values import Value, joined


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded stretch within its surroundings; `lines` bounds those lines of `data` that decoding touched."""

    kind: str
    data: bytes = field(repr=False)
    lines: tuple[int, int]
    offset_of: Callable[[int], int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that was encoded from offset `start` on."""

    kind: str
    data: bytes = field(repr=False)
    start: int
    archive: str


def decoded(data: bytes, ends: Mapping[str, Sequence[int]], covered: Callable[[], bool]) -> Iterator[Text | Packed]:
    """Yield what the triggers of a text lead to; `ends` are their rising end offsets by kind.

    `covered` is asked for each value in base64 or hexadecimal; none of the kind is decoded behind one that is not.
    """
    if "base64" in ends or "manifest" in ends:
        values = base64runs.values(data, ends.get("base64", ()), ends.get("manifest", ()))
        yield from _values("base64", data, values, covered)
    if "hex" in ends:
        yield from _values("hex", data, hexadecimal.values(data, ends["hex"]), covered)
    for kind in escapes.ESCAPES:
        if kind in ends:
            for found in escapes.regions(kind, data, ends[kind]):
                yield _text(kind, found)


def _values(kind: str, data: bytes, values: Iterable[Value], covered: Callable[[], bool]) -> Iterator[Text | Packed]:
    for found in joined(data, values, covered):
        if isinstance(found, Value):
            yield Packed(kind, found.decoded, found.start, kind_of(found.decoded) or "")
        else:
            yield _text(kind, found)


def _text(kind: str, found: Rewritten) -> Text:
    return Text(kind, found.data, (found.start, found.end), found.offset_of)
