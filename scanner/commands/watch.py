"""How an audit goes, for people: a bar on a terminal, a plain line for each repository elsewhere."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from scanner.model import Coverage
from scanner.sinks.escape import visible
from scanner.sinks.words import count, size

_CURRENT = 3
"""How many of the repositories in work are named."""


class Lines:
    """Writes a line for each repository that is through, with its number, and for what is worth saying."""

    def __init__(self, out: TextIO, quiet: bool) -> None:
        self._out = out
        self._quiet = quiet
        self._total = self._done = self._findings = 0
        self._bytes = 0
        self._start = time.monotonic()
        self._current: dict[str, None] = {}

    def total(self, number: int) -> None:
        self._total = number
        self._line(f"{count(number, 'repository', 'repositories')} to look at")

    def say(self, line: str) -> None:
        self._line(visible(line))

    def begin(self, name: str) -> None:
        self._current[name] = None

    def done(self, name: str, state: str, findings: int, covered: Coverage) -> None:
        self._current.pop(name, None)
        self._done += 1
        self._findings += findings
        self._bytes += covered.bytes
        said = f", {count(findings, 'credential')}" if findings else ""
        read = f", {size(covered.bytes)} read" if covered.bytes else ""
        self._line(f"{self._done}/{self._total} {visible(name)}: {state}{read}{said}")

    def end(self) -> None:
        pass

    def _line(self, text: str) -> None:
        if not self._quiet:
            self._out.write(text + "\n")
            self._out.flush()

    def _summary(self) -> str:
        rate = self._bytes / max(1e-3, time.monotonic() - self._start)
        now = ", ".join(name.removesuffix(".git").rpartition("/")[2] for name in list(self._current)[:_CURRENT])
        return f"{size(self._bytes)}, {size(int(rate))} a second, {count(self._findings, 'credential')}; {visible(now)}"


class Bar(Lines):
    """The same on a terminal: a bar that moves, and lines only for what is worth saying."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__(out, quiet=False)
        self._progress = Progress(
            TextColumn("Auditing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[said]}", markup=False), console=Console(file=out), transient=True,
        )  # fmt: skip
        self._task: Any = None

    def total(self, number: int) -> None:
        self._total = number
        self._progress.start()
        self._task = self._progress.add_task("", total=number, said="")

    def begin(self, name: str) -> None:
        super().begin(name)
        self._show()

    def done(self, name: str, state: str, findings: int, covered: Coverage) -> None:
        self._quiet = state in ("complete", "unchanged") and not findings
        super().done(name, state, findings, covered)
        self._quiet = False
        self._show()

    def end(self) -> None:
        self._progress.stop()

    def _show(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=self._done, said=self._summary())

    def _line(self, text: str) -> None:
        if not self._quiet:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def watching(out: TextIO, options: argparse.Namespace) -> Iterator[Lines]:
    """Give whoever shows the progress that fits where it is shown."""
    bar = out.isatty() and not options.no_progress and not options.quiet
    watch = Bar(out) if bar else Lines(out, options.quiet)
    try:
        yield watch
    finally:
        watch.end()
