"""What the commands that read a store share: the rules in use, the choice, one finding by its first digits."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TextIO

from scanner import cache, config
from scanner.commands.scan import check_writable, write_file
from scanner.errors import UsageError
from scanner.model import RuleSet
from scanner.overview import Overview
from scanner.overview.choice import Choice, chosen, moment
from scanner.rules import load_builtin
from scanner.sinks.escape import visible
from scanner.store.results import Known

SHORTEST = 6
"""Digits of a fingerprint that name it."""


def usual_store() -> str:
    """Return the file in which `keyleash audit` remembers, unless another is named; it need not be there."""
    from platformdirs import user_data_dir

    folder = os.environ.get("KEYLEASH_DATA") or user_data_dir("keyleash", appauthor=False)
    return os.path.join(folder, "audit.keyleash")


def usual_clones() -> str:
    """Return the folder in which `keyleash audit` keeps mirrors, unless another is named."""
    return os.path.join(cache.folder(), "clones")


def store_of(options: argparse.Namespace) -> str:
    """Return the store that is meant: the one that is named, or that of the audit. Raises `UsageError` without either."""
    file: str = options.store or usual_store()
    if options.store is None and not os.path.isfile(file):
        raise UsageError("no audit has written a store yet; name one with --store FILE")
    return file


def rules_of(options: argparse.Namespace) -> RuleSet:
    """Return the built-in rules, with those of a configuration where one is named."""
    return config.load(options.config, None).rules(load_builtin()) if options.config else load_builtin()


def narrowed(overview: Overview, options: argparse.Namespace) -> Overview:
    """Return what the options want of an overview. Raises `UsageError` for a rule that nothing was ever of."""
    known = {*overview.rules, *(one.rule for one in overview.findings)}
    for rule in options.rule:
        if rule not in known:
            raise UsageError(f"--rule {rule}: there is no such rule; 'keyleash rules list' names them")
    older, newer = (moment(text) if text else None for text in (options.older_than, options.newer_than))
    return chosen(overview, Choice(options.repository, options.rule, options.severity, options.state, older, newer))


def named(overview: Overview, id: str) -> Known:
    """Return the finding whose fingerprint begins so."""
    fits = [one for one in overview.findings if one.fingerprint.startswith(id.lower())]
    if len(id) < SHORTEST or len(fits) > 1:
        raise UsageError(f"{visible(id)}: give more digits of the fingerprint, at least {SHORTEST}")
    if not fits:
        raise UsageError(f"{visible(id)}: no finding has a fingerprint that begins so; 'keyleash findings list' shows them")
    return fits[0]


def emit(file: str | None, write: Callable[[TextIO], None]) -> None:
    """Write to a file, which appears whole or not at all, or to standard output."""
    if file is None or file == "-":
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        write(sys.stdout)
        return
    check_writable([("", file)])
    try:
        write_file(file, write)
    except OSError as problem:
        raise UsageError(f"--output {file}: cannot be written: {problem.strerror}") from None


def folder(path: str) -> str:
    """Return a folder that exists; it is made where only its last part is new."""
    if not os.path.isdir(path):
        try:
            os.mkdir(path)
        except OSError as problem:
            raise UsageError(f"--output {path}: no folder can be made there: {problem.strerror}") from None
    return path
