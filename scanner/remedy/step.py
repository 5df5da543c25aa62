"""A step of a remedy."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """`text` says why, in lines; `commands` are for a shell, to be typed in their order."""

    title: str
    text: str
    commands: tuple[str, ...] = ()
