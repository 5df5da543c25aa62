"""Writing a report. A sink is a module with a function `write`; to add one, write it and name it here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TextIO

from scanner.model import Report

# Imported when used, so that a run pays for the one format it writes.
SINKS: dict[str, str] = {
    "text": "scanner.sinks.text",
    "json": "scanner.sinks.json_v1",
    "sarif": "scanner.sinks.sarif",
    "github": "scanner.sinks.github",
    "gitlab": "scanner.sinks.gitlab",
    "markdown": "scanner.sinks.markdown",
}


def sink(name: str) -> Callable[[Report, TextIO], None]:
    """Return the function that writes the format called `name`."""
    write: Callable[[Report, TextIO], None] = import_module(SINKS[name]).write
    return write
