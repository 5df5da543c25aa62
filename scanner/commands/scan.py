"""`keyleash scan`: from the options to sources, a report and its files."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from typing import TYPE_CHECKING, TextIO

from scanner import baseline, config, gitcommand
from scanner.commands.progress import progress
from scanner.commands.several import joined
from scanner.config import Config
from scanner.errors import UsageError
from scanner.gitcommand import Repository
from scanner.model import Coverage, Report, RuleSet, Skipped, Source
from scanner.pipeline import scan
from scanner.rules import load_builtin, select
from scanner.sinks import sink

if TYPE_CHECKING:
    from scanner.sources.memory import Memory
    from scanner.sources.narrow import Narrow
    from scanner.store import Store

_NOT_WITH_STORE = ("staged", "range", "stdin", "no_history", "refs", "since", "reachable_only")

Target = Callable[[RuleSet], Source]
"""A thing to scan that is checked already; the source is made when the rules are known."""

Outputs = list[tuple[str, str | None]]
"""Pairs of a format and a file, None for standard output."""


def run(options: argparse.Namespace) -> int:
    """Carry out the command and return the exit code."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current folder has been deleted; go to another one") from None
    outputs = pair_outputs(options.outputs or [])
    check_writable(outputs)
    with _explained(options, outputs):
        report = joined([(name, _report(_of(options, paths))) for name, paths in _shares(options)])
    write_all(report, outputs, quiet=options.quiet)
    return exit_code(report, exit_zero=options.exit_zero)


def _explained(options: argparse.Namespace, outputs: Outputs) -> AbstractContextManager[None]:
    if not options.explain:
        return nullcontext()
    from scanner.commands import explain

    explain.narrow(options, outputs)
    return explain.explaining(sys.stdout)


def _of(options: argparse.Namespace, paths: list[str]) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "paths": paths})


def _shares(options: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Return what is scanned under one configuration, with the name to show it under: each repository of several by itself.

    Other files and folders are shown as they are named; those of one repository go together.
    """
    if len(options.paths) < 2 or options.staged or options.range or options.stdin:
        return [("", options.paths)]
    shares: dict[tuple[str, str], list[str]] = {}
    for path in dict.fromkeys(options.paths):
        if _repository_at(_existing(path)):
            shares[path, ""] = [path]
        else:
            shares.setdefault(("", _around(os.path.dirname(os.path.abspath(path)))), []).append(path)
    return [(name, paths) for (name, _), paths in shares.items()]


@cache
def _around(folder: str) -> str:
    """Return the top of the repository that a folder is in, or nothing."""
    around = gitcommand.find(folder)
    return (around and around.work_tree) or ""


def _report(options: argparse.Namespace) -> Report:
    """Scan what goes under one configuration."""
    with _store(options) as store:
        targets, top = _targets(options, store)
        settings = config.load(options.config, top)
        rules = select(settings.rules(load_builtin()), options.rule, options.exclude_rule)
        accepting = baseline.chosen(
            top, settings.baseline, file=options.baseline, ref=options.baseline_ref, off=options.no_baseline
        )
        report = _scanned(options, targets, rules, settings, store.key if store else accepting.key)
        if store:
            from scanner.store.results import record

            record(store, _stored_name(options), report)
            if accepting.text is not None:  # it knows credentials by a key of its own: what holds some is read again
                again = _scanned(options, _targets(options, store, reread=True)[0], rules, settings, accepting.key)
                report = again._replace(coverage=report.coverage)
    report = accepting.applied(report, known=settings.known(load_builtin()), whole=_is_whole(options, targets))
    report = report._replace(fail_on=options.fail_on or settings.threshold("scan"))
    said = settings.says(load_builtin())
    if said:
        report = report._replace(coverage=report.coverage.plus(Coverage(notes=(said,))))
    if not options.staged:
        report = _looked_at_something(report, options)
    return report


def _scanned(options: argparse.Namespace, targets: Sequence[Target], rules: RuleSet, settings: Config, key: bytes) -> Report:
    sources = [target(rules) for target in targets]
    with progress(sys.stderr, wanted=not (options.no_progress or options.quiet)) as advance:
        return scan(sources, rules, key=key, show_secrets=options.show_secrets, excluded=settings.excluded(), advance=advance)


def _is_whole(options: argparse.Namespace, targets: Sequence[Target]) -> bool:
    """Whether one repository is scanned with its files and history, by all rules: what is not found then is not there."""
    less = options.rule or options.exclude_rule or options.refs or options.since or options.reachable_only
    return not less and len(options.paths) < 2 and len(targets) == 2


def exit_code(report: Report, *, exit_zero: bool = False) -> int:
    """Return 1 for findings that are severe enough, 2 for an incomplete scan, 0 for a clean and complete one."""
    if report.blocking and not exit_zero:
        return 1
    return 2 if report.skipped else 0


def pair_outputs(written: Sequence[tuple[str, str]]) -> Outputs:
    """Join each --output with the --format before it.

    With one of each the order does not matter; a format without a file goes to standard output.

    >>> pair_outputs([("format", "text"), ("format", "sarif"), ("output", "a.sarif")])
    [('text', None), ('sarif', 'a.sarif')]
    """
    written = [(kind, value) for kind, value in written if (kind, value) != ("output", "-")]
    if sorted(kind for kind, _ in written) == ["format", "output"]:
        given = dict(written)
        return [(given["format"], given["output"])]
    if [kind for kind, _ in written] == ["output"]:
        return [("text", written[0][1])]
    outputs: Outputs = []
    for kind, value in written:
        if kind == "format":
            outputs.append((value, None))
        elif not outputs or outputs[-1][1] is not None:
            raise UsageError(f"--output {value}: name its --format before it")
        else:
            outputs[-1] = outputs[-1][0], value
    if sum(file is None for _, file in outputs) > 1:
        raise UsageError("two formats cannot share standard output; give all but one an --output FILE")
    files = [os.path.realpath(file) for _, file in outputs if file is not None]
    if len(set(files)) < len(files):
        raise UsageError("two formats have the same --output file")
    return outputs or [("text", None)]


def check_writable(outputs: Outputs) -> None:
    """Raise `UsageError` for a file that could not be written, before any time is spent on the scan."""
    for _, file in outputs:
        if file is None:
            continue
        folder = os.path.dirname(os.path.abspath(file))
        if not file:
            raise UsageError("--output: the name of the file is empty")
        if os.path.isdir(file):
            raise UsageError(f"--output {file}: is a folder; name a file in it")
        if not os.path.isdir(folder):
            raise UsageError(f"--output {file}: the folder {folder} does not exist; make it first")
        if not os.access(file if os.path.exists(file) else folder, os.W_OK):
            raise UsageError(f"--output {file}: cannot be written; choose another place")


def write_all(report: Report, outputs: Outputs, *, quiet: bool) -> None:
    """Write each format to its place. A file appears whole or not at all."""
    for name, file in outputs:
        if file is None:
            if not (quiet and name == "text" and report.clean):
                _write_out(report, name)
            continue
        try:
            write_file(file, partial(sink(name), report))
        except OSError as problem:
            raise UsageError(f"--output {file}: cannot be written: {problem.strerror}") from None


def _write_out(report: Report, name: str) -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        sink(name)(report, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - what is buffered cannot be written either
        raise UsageError(f"standard output: cannot be written: {problem.strerror}") from None


def write_file(file: str, write: Callable[[TextIO], None]) -> None:
    """Write a file, which appears whole or not at all; what is no regular file is written to as it is."""
    special = os.path.exists(file) and not stat.S_ISREG(os.stat(file).st_mode)
    target = file if special else f"{file}.{os.getpid()}.part"
    try:
        with open(target, "w", encoding="utf-8", errors="backslashreplace", newline="") as out:
            write(out)
        if not special:
            os.replace(target, os.path.realpath(file))
    finally:
        if not special and os.path.exists(target):
            os.unlink(target)


@contextmanager
def _store(options: argparse.Namespace) -> Iterator[Store | None]:
    """Open the store that is wanted, if any."""
    if options.store is None:
        yield None
        return
    odd = next((name for name in _NOT_WITH_STORE if getattr(options, name)), None)
    if odd:
        raise UsageError(f"--store remembers whole histories; it does not go with --{odd.replace('_', '-')}")
    if len(options.paths) > 1:
        raise UsageError(f"{options.paths[1]}: is not the top of a git repository, and --store needs one")
    _stored_name(options)
    from scanner.store import Store

    with Store(options.store) as store:
        yield store


def _stored_name(options: argparse.Namespace) -> str:
    """Return the name under which a store knows the repository."""
    path = (options.paths or [_here()])[0]
    repository = _repository_at(_existing(path))
    if repository is None:
        raise UsageError(f"{path}: is not the top of a git repository, and --store needs one")
    return repository.name


def _targets(
    options: argparse.Namespace, store: Store | None = None, *, reread: bool = False
) -> tuple[list[Target], str | None]:
    """Return what to scan, and the folder in which a configuration is looked for.

    With `reread`, objects that hold a match are read although the store knows them.
    """
    chosen = [name for name in ("staged", "range", "stdin") if getattr(options, name)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} exclude each other; give one")
    if options.path and not options.stdin:
        raise UsageError("--path names standard input; it goes with --stdin")
    narrowed = next((name for name in ("refs", "since", "reachable_only") if getattr(options, name)), None)
    if narrowed and (chosen or options.no_history):
        other = chosen[0] if chosen else "no-history"
        raise UsageError(f"--{narrowed.replace('_', '-')} narrows the history; it does not go with --{other}")
    if options.stdin:
        from scanner.sources.stdin import Stdin

        if options.paths:
            raise UsageError("--stdin reads standard input and no PATH; give one or the other")
        stdin = Stdin(sys.stdin.buffer, options.path or "<stdin>")
        return [lambda rules: stdin], os.getcwd()
    if options.staged or options.range:
        source, top = _commits(options)
        return [lambda rules: source], top
    paths = options.paths or [_here()]
    targets = [target for path in paths for target in _path(path, options, store, reread=reread or options.show_secrets)]
    around = gitcommand.find(paths[0])
    return targets, around.work_tree if around and around.work_tree else paths[0]


def _here() -> str:
    """Return the top of the repository around the current folder, or the folder where there is none."""
    around = gitcommand.find(".")
    return around.work_tree if around and around.work_tree else "."


def _commits(options: argparse.Namespace) -> tuple[Source, str | None]:
    from scanner.sources.staged import Range, Staged

    option = "--staged" if options.staged else "--range"
    if len(options.paths) > 1:
        raise UsageError(f"{option} takes one repository, not {len(options.paths)}")
    path = (options.paths or ["."])[0]
    repository = gitcommand.find(_existing(path))
    if repository is None:
        raise UsageError(f"{path}: is not a git repository, and {option} needs one")
    if options.staged:
        if repository.work_tree is None:
            raise UsageError(f"{path}: is a bare repository; nothing can be staged there")
        if not options.paths and "GIT_INDEX_FILE" in os.environ:  # git runs us as a hook, with the index of the commit
            repository = gitcommand.of_hook()
        return Staged(repository), repository.work_tree
    old, dots, new = options.range.partition("..")
    if not dots or new.startswith("."):
        raise UsageError(f"--range {options.range}: write it as A..B, as in origin/main..HEAD")
    return Range(repository, repository.resolve(old or "HEAD"), repository.resolve(new or "HEAD")), repository.work_tree


def _path(path: str, options: argparse.Namespace, store: Store | None, *, reread: bool) -> list[Target]:
    from scanner.pipeline import judge, sight
    from scanner.sources.fasthistory import FastHistory
    from scanner.sources.tree import Folder, WorkTree

    repository = _repository_at(_existing(path))
    if repository is None:
        return [lambda rules: Folder(path, judge(rules), options.jobs)]
    if repository.work_tree is None and options.no_history:
        raise UsageError(f"{path}: is a bare repository; it has no files beside its history (leave out --no-history)")

    def memory(rules: RuleSet) -> Memory | None:
        if store is None:
            return None
        from scanner.store.remembered import Remembered

        return Remembered(store, repository.name, rules, reread=reread)

    targets: list[Target] = []
    if repository.work_tree is not None:
        targets.append(lambda rules: WorkTree(repository, None, judge(rules), options.jobs))
    if not options.no_history:
        narrow = _narrow(repository, options)
        targets.append(lambda rules: FastHistory(repository, sight(rules), options.jobs, narrow, memory(rules)))
    return targets


def _narrow(repository: Repository, options: argparse.Namespace) -> Narrow | None:
    """Return which part of a history is wanted; None for all of it. Raises `UsageError` for a ref that does not exist."""
    if not (options.refs or options.since or options.reachable_only):
        return None
    from scanner.sources.narrow import Narrow, starts

    narrow = Narrow(tuple(options.refs), options.since)
    starts(repository, narrow)
    return narrow


def _existing(path: str) -> str:
    if not os.path.lexists(path):
        raise UsageError(f"{path}: there is no such file or folder")
    if not os.path.exists(path):
        raise UsageError(f"{path}: is a symbolic link to nothing")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: cannot be read; permission is missing")
    return path


def _repository_at(path: str) -> Repository | None:
    """Return the repository whose top folder, or bare directory, a path is."""
    if not os.path.isdir(path):
        return None
    repository = gitcommand.find(path)
    top = repository and (repository.work_tree or repository.git_dir)
    return repository if top == os.path.realpath(path) else None


def _looked_at_something(report: Report, options: argparse.Namespace) -> Report:
    """A scan that met nothing is not clean: its target was probably not what was meant."""
    coverage = report.coverage
    if coverage.blobs or coverage.commits or coverage.known or report.skipped:
        return report
    what = ", ".join(options.paths) or ("standard input" if options.stdin else "here")
    return report._replace(skipped=(Skipped(what, "there was nothing to scan"),))
