"""Writing a report. A sink is a function; to add one, write it and name it in `SINKS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from scanner.model import Report


def _text(report: Report, out: TextIO) -> None:
    from scanner.sinks import text

    text.write(report, out)


def _json(report: Report, out: TextIO) -> None:
    from scanner.sinks import json_v1

    json_v1.write(report, out)


def _sarif(report: Report, out: TextIO) -> None:
    from scanner.sinks import sarif

    sarif.write(report, out)


def _github(report: Report, out: TextIO) -> None:
    from scanner.sinks import github

    github.write(report, out)


# Imported when used, so that a run pays for the one format it writes.
SINKS: dict[str, Callable[[Report, TextIO], None]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}
