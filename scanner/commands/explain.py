"""`keyleash scan --explain`: before the report, a line for each place that a rule looked at."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from scanner import trace
from scanner.errors import UsageError
from scanner.explain import DROPPED, FOUND, Explanation, Verdict
from scanner.sinks.escape import visible
from scanner.sinks.text import Piece, emit
from scanner.sinks.words import count, place

_STYLES = {FOUND: "bold red", DROPPED: "yellow"}
_WORDS = {FOUND: "found", DROPPED: "dropped"}


def narrow(options: argparse.Namespace, outputs: Sequence[tuple[str, str | None]]) -> None:
    """Narrow a scan to what can be explained: files or standard input, read by this process.

    Raises `UsageError` for options that ask for more, or for another format on standard output.
    """
    for name in ("staged", "range", "since", "reachable_only", "refs", "store"):
        if getattr(options, name):
            raise UsageError(f"--explain is of files or of --stdin; it does not go with --{name.replace('_', '-')}")
    for name, file in outputs:
        if file is None and name != "text":
            raise UsageError(f"--explain writes text to standard output; give --format {name} an --output FILE")
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    options.no_history = not options.stdin
    options.jobs, options.no_progress = 1, True


@contextmanager
def explaining(out: TextIO) -> Iterator[None]:
    """Write what becomes of each anchor that is met in the meantime, and how many there were."""

    def tell(verdict: Verdict) -> None:
        said[verdict.outcome] = said.get(verdict.outcome, 0) + 1
        _write([_row(verdict)], out)

    said: dict[str, int] = {}
    explanation = Explanation(tell)
    with trace.listening(explanation):
        yield
    explanation.finish()
    anchors = count(explanation.anchors, "anchor")
    places = f"{count(said.get(FOUND, 0), 'place')} found, {said.get(DROPPED, 0):,} dropped"
    _write([[("", f"{anchors}: {places}." if explanation.anchors else "No rule has an anchor in it.")], []], out)


def _write(rows: list[list[Piece]], out: TextIO) -> None:
    try:
        emit(rows, out)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise UsageError(f"standard output: cannot be written: {problem.strerror}") from None


def _row(verdict: Verdict) -> list[Piece]:
    shown = f" {visible(verdict.redacted)}" if verdict.redacted else ""
    outcome = _WORDS.get(verdict.outcome, "not found")
    return [
        ("bold", place(verdict.where)),
        ("", f": {verdict.rule.id}{shown}: "),
        (_STYLES.get(verdict.outcome, "dim"), outcome),
        ("", f": {visible(verdict.reason)}"),
    ]
