"""Progress on a terminal: what has been covered so far, redrawn a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from scanner.model import Coverage

Advance = Callable[[Coverage], None]
_INTERVAL = 0.2
_PATIENCE = 1.0
"""Seconds before the first line: a short scan shows none."""


@contextmanager
def progress(stream: TextIO, *, wanted: bool) -> Iterator[Advance | None]:
    """Give a function that shows the coverage so far, or None where nobody would see it."""
    if not wanted or not stream.isatty():
        yield None
        return
    from rich.console import Console
    from rich.status import Status

    from scanner.sinks.words import count, size

    start = shown = time.monotonic()
    status = Status("Scanning", console=Console(file=stream))

    def advance(done: Coverage) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - start < _PATIENCE or now - shown < _INTERVAL:
            return
        shown = now
        status.start()
        rate = size(int(done.bytes / (now - start)))
        status.update(f"Scanning: {count(done.blobs, 'blob')}, {size(done.bytes)}, {rate} a second")

    try:
        yield advance
    finally:
        status.stop()
