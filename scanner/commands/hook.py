"""`keyleash hook`: what pre-commit, or git itself, runs before a commit is made or a push is sent.

Start-up time is what a hook costs, so this path imports no more than the scan of a few
staged files needs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scanner import baseline, config, gitcommand
from scanner.errors import UsageError
from scanner.gitcommand import Repository, entries
from scanner.model import Coverage, Report, Source
from scanner.pipeline import scan
from scanner.rules import load_builtin
from scanner.sources.staged import Range, Staged

if TYPE_CHECKING:
    from scanner.sinks.hook import Here

NOTHING = """\
nothing is staged, so there was nothing to scan; 'git add' first, or scan the files as they are:
'pre-commit run --all-files', or without pre-commit 'keyleash scan'"""


def run(options: argparse.Namespace) -> int:
    """Scan what the hook is about and return the exit code; a message only when something is wrong."""
    repository = gitcommand.of_hook()
    settings = config.load(options.config, repository.work_tree)
    source, what = _choose(repository, options)
    accepting = baseline.chosen(repository.work_tree, settings.baseline, file=options.baseline, off=options.no_baseline)
    report = scan([source], settings.rules(load_builtin()), key=accepting.key, excluded=settings.excluded())
    report = _without_guesses(accepting.applied(report))._replace(fail_on=settings.threshold("hook"))
    looked = report.coverage.files or report.skipped
    if isinstance(source, Staged) and not looked and not _committing() and not source.only and source.is_empty():
        raise UsageError(NOTHING)
    if not report.clean or report.coverage.notes or report.accepted:
        from scanner.sinks import hook

        place = baseline.place(options.baseline, settings.baseline, None) or baseline.NAME
        here = _here(repository, what, options, place) if report.blocking else None
        hook.write(report, sys.stderr, what, here)
    elif what == "run":
        from scanner.sinks.words import verdict

        print(verdict(report))
    elif isinstance(source, Staged) and source.only == frozenset():
        print("pre-commit names no file of this commit: nothing was scanned.")
    return 1 if report.blocking else 2 if report.skipped else 0


def _here(repository: Repository, what: str, options: argparse.Namespace, place: str) -> Here:
    """Return where whoever reads the message stands: git changes to the top, and says in GIT_PREFIX from where."""
    from scanner.sinks.hook import Here

    top = os.path.realpath(repository.work_tree or ".")
    prefix = os.environ.get("GIT_PREFIX")
    reader = os.path.realpath(".") if prefix is None else os.path.join(top, prefix)
    files = {"--config": options.config, "--baseline": options.baseline}
    return Here(
        first=what == "commit" and repository.head() is None,
        folder=os.path.relpath(reader, top) if reader.rstrip(os.sep) != top else "",
        command=_command(),
        options=tuple(word for name, file in files.items() if file for word in (name, os.path.relpath(file, reader))),
        baseline=os.path.relpath(os.path.join(top, place), top),
    )


def _command() -> tuple[str, ...]:
    """Return what runs Keyleash in the reader's shell. What pre-commit puts on PATH is there for its hooks alone."""
    from shutil import which

    own = os.path.dirname(sys.executable)
    path = [folder for folder in os.get_exec_path() if "PRE_COMMIT" not in os.environ or folder != own]
    if which("keyleash", path=os.pathsep.join(path)):
        return ("keyleash",)
    beside = os.path.join(own, "keyleash")
    return (beside,) if os.path.isfile(beside) else (sys.executable, "-P", "-m", "scanner")


def _without_guesses(report: Report) -> Report:
    """Leave out generic secrets of low confidence, and say so: a commit is not stopped for a guess."""
    kept = tuple(finding for finding in report.findings if not finding.rule.generic or finding.confidence != "low")
    passed = len(report.findings) - len(kept)
    if not passed:
        return report
    from scanner.sinks.words import count

    secrets = count(passed, "possible generic secret")
    note = f"{secrets} of low confidence {'was' if passed == 1 else 'were'} let pass; keyleash scan --staged shows what"
    return report._replace(findings=kept, coverage=report.coverage.plus(Coverage(notes=(note,))))


def _choose(repository: Repository, options: argparse.Namespace) -> tuple[Source, str]:
    """Return the source, and what is stopped when it holds a credential.

    pre-commit hands over a push, or the two ends of a range, in its environment.
    """
    if options.stage == "commit-msg":
        return _message(repository, options.files), "message"
    if options.stage == "pre-push" or "PRE_COMMIT_LOCAL_BRANCH" in os.environ:
        return _push(repository, options.files, os.environ)
    ends = os.environ.get("PRE_COMMIT_FROM_REF"), os.environ.get("PRE_COMMIT_TO_REF")
    if ends[0] and ends[1]:
        return Range(repository, repository.resolve(ends[0]), repository.resolve(ends[1])), "run"
    return _files(repository, options.files)


def _files(repository: Repository, files: list[str]) -> tuple[Source, str]:
    """Return what is staged of the named files, or of all.

    By hand, files that are not staged, or changed since, are meant as they are: `--all-files`.
    """
    if not files:  # all that there is, unless pre-commit has left out what there is
        return Staged(repository, frozenset() if "PRE_COMMIT" in os.environ else None), "commit"
    names = tuple(name for name in _relative(repository, files) if not _is_folder(repository, name))  # of submodules
    staged = Staged(repository, frozenset(names))
    if staged.merging or (set(names) <= staged.names() and (_committing() or not _changed(repository) & set(names))):
        return staged, "commit"
    from scanner.sources.tree import WorkTree

    return WorkTree(repository, names=names), "run"


def _committing() -> bool:
    """Whether git runs this, not somebody by hand: it names the index of the commit in the environment."""
    return "GIT_INDEX_FILE" in os.environ


def _push(repository: Repository, arguments: list[str], environment: Mapping[str, str]) -> tuple[Source, str]:
    """Return what a push brings: git says it on standard input, pre-commit in the environment.

    Where the remote has nothing yet, pre-commit names no older end, only the branch.
    """
    from scanner.sources.pushed import Push, Update, here, read_updates

    branch, new = environment.get("PRE_COMMIT_LOCAL_BRANCH"), environment.get("PRE_COMMIT_TO_REF")
    if branch:
        new = here(repository, new or branch)
        update = Update(new, environment.get("PRE_COMMIT_FROM_REF") or "0" * len(new))
        return Push(repository, (update,), environment.get("PRE_COMMIT_REMOTE_NAME", "")), "push"
    old = environment.get("PRE_COMMIT_FROM_REF")
    if old and new:
        return Range(repository, repository.resolve(old), repository.resolve(new)), "run"
    if not arguments:
        raise UsageError(
            "the pre-push stage is run by 'git push', or by hand with the two ends of a range: "
            "pre-commit run --hook-stage pre-push --from-ref A --to-ref B"
        )
    return Push(repository, read_updates(sys.stdin.buffer.read()), arguments[0]), "push"


def _message(repository: Repository, files: list[str]) -> Source:
    from scanner.sources.message import Message

    if len(files) != 1:
        raise UsageError("the commit-msg stage takes one FILE, which git names: the one with the message")
    return Message(files[0])


def _changed(repository: Repository) -> set[str]:
    """Return the names of the files that differ from the index."""
    return {os.fsdecode(name) for name in entries(repository.run("diff-files", "--name-only", "-z"))}


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
