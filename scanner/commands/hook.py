"""`keyleash hook`: what pre-commit, or git itself, runs before a commit is made.

Start-up time is what a hook costs, so this path imports no more than the scan of a few
staged files needs.
"""

from __future__ import annotations

import argparse
import os
import sys

from scanner import baseline, config, gitcommand
from scanner.gitcommand import Repository
from scanner.model import Source
from scanner.pipeline import scan
from scanner.rules import load_builtin
from scanner.sources.staged import Range, Staged


def run(options: argparse.Namespace) -> int:
    """Scan what the hook is about and return the exit code; a message only when something is wrong."""
    repository = gitcommand.of_hook()
    settings = config.load(options.config, repository.work_tree)
    source, what = _choose(repository, options.files)
    accepting = baseline.chosen(repository.work_tree, settings.baseline, file=options.baseline, off=options.no_baseline)
    report = scan([source], settings.rules(load_builtin()), key=accepting.key, excluded=settings.excluded())
    report = accepting.applied(report)._replace(fail_on=settings.threshold("hook"))
    if not report.clean or report.coverage.notes or report.accepted:
        from scanner.sinks import hook

        hook.write(report, sys.stderr, what, first=what == "commit" and repository.head() is None)
    elif what == "run":
        from scanner.sinks.words import verdict

        print(verdict(report))
    return 1 if report.blocking else 2 if report.skipped else 0


def _choose(repository: Repository, files: list[str]) -> tuple[Source, str]:
    """Return the source, and what is stopped when it holds a credential.

    pre-commit names the two ends of a range in its environment. Files that are not staged
    were named by hand or by `--all-files`, and are scanned as they are.
    """
    ends = os.environ.get("PRE_COMMIT_FROM_REF"), os.environ.get("PRE_COMMIT_TO_REF")
    if ends[0] and ends[1]:
        what = "push" if os.environ.get("PRE_COMMIT_REMOTE_NAME") else "run"
        return Range(repository, repository.resolve(ends[0]), repository.resolve(ends[1])), what
    names = tuple(name for name in _relative(repository, files) if not _is_folder(repository, name))  # of submodules
    staged = Staged(repository, frozenset(names) if files else None)
    if set(names) <= staged.names() or staged.merging:
        return staged, "commit"
    from scanner.sources.tree import WorkTree

    return WorkTree(repository, names=names), "run"


def _is_folder(repository: Repository, name: str) -> bool:
    path = os.path.join(repository.work_tree or ".", name)
    return os.path.isdir(path) and not os.path.islink(path)


def _relative(repository: Repository, files: list[str]) -> tuple[str, ...]:
    top = os.path.realpath(repository.work_tree or ".")
    return tuple(
        os.path.relpath(os.path.join(os.path.realpath(os.path.dirname(file) or "."), os.path.basename(file)), top).replace(
            os.sep, "/"
        )
        for file in files
    )
