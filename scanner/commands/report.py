"""`keyleash report`: a page for the web, or a summary, from a store or from reports of scans."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TextIO

from scanner.commands.stored import emit, narrowed, rules_of, store_of
from scanner.errors import UsageError
from scanner.overview import Overview, from_store
from scanner.overview.reports import from_reports


def run(options: argparse.Namespace) -> int:
    """Write the report and return 0: what it says of findings is no fault of it."""
    if options.store and options.reports:
        raise UsageError("name either a store with --store FILE, or reports of 'keyleash scan --format json'")
    rules = {rule.id: rule for rule in rules_of(options).rules}
    overview = from_reports(options.reports, rules) if options.reports else from_store(store_of(options), rules)
    emit(options.output, partial(_writer(options.format), narrowed(overview, options)))
    return 0


def _writer(name: str) -> Callable[[Overview, TextIO], None]:
    if name == "markdown":
        from scanner.overview.markdown import write

        return write
    from scanner.overview.html import write as write_page

    return write_page
