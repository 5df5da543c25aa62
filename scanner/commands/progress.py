"""Progress on a terminal: a bar where it is known how much there is to read, else what has been covered so far."""

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
    from rich import progress as rich
    from rich.console import Console

    from scanner.sinks.words import count, size

    bar = rich.Progress(
        rich.TextColumn("Scanning: {task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
        auto_refresh=False,
    )
    task = bar.add_task("", total=None)
    start = shown = time.monotonic()

    def advance(done: Coverage) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - start < _PATIENCE or now - shown < _INTERVAL:
            return
        shown = now
        bar.start()
        said = f"{count(done.blobs, 'blob')}, {size(done.bytes)}"
        # The packs' bytes, of which it is known how many there are, or else those of the files so far.
        total, completed = (done.expected, done.packed) if done.expected else (None, done.bytes)
        bar.update(task, description=said, total=total, completed=completed, refresh=True)

    try:
        yield advance
    finally:
        bar.stop()
