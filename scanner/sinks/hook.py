"""What a person reads when a commit was stopped: what, where, why, and the way out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from scanner.model import Finding, Report, Rule
from scanner.sinks.escape import visible
from scanner.sinks.text import Piece, emit, finding_rows, skipped_rows
from scanner.sinks.words import asides, count, covered, place

_NAMES = 5
"""How many files one command names."""

# How a line becomes a comment, by the end of a file's name; most others take '#'.
_COMMENTS = {
    "//": ("c", "cc", "cpp", "cs", "dart", "go", "gradle", "groovy", "h", "hpp", "java", "js", "jsonc", "json5", "jsx", "kt",
           "kts", "m", "mjs", "php", "proto", "rs", "scala", "scss", "swift", "ts", "tsx", "vue"),
    "--": ("elm", "hs", "lua", "sql"),
    ";": ("clj", "el", "lisp", "scm"),
    "%": ("erl", "tex"),
    "<!-- -->": ("htm", "html", "md", "svg", "xml"),
    "": ("ipynb", "json", "jsonl", "lock"),
}  # fmt: skip


class Here(NamedTuple):
    """Where the reader stands, so that the commands shown work there.

    `first`: no commit was made yet; `folder`: the reader's, below the top; `command`: what runs Keyleash in the reader's
    shell; `options`: what it needs to find the same baseline; `baseline`: that file, from the top.
    """

    first: bool = False
    folder: str = ""
    command: tuple[str, ...] = ("keyleash",)
    options: tuple[str, ...] = ()
    baseline: str = ".keyleash-baseline.yaml"


def write(report: Report, out: TextIO, what: str, here: Here | None = None) -> None:
    """Write the message; `what` names the thing that was stopped: 'commit', 'message', 'push' or 'run'."""
    emit(_rows(report, what, here or Here()), out)


def _rows(report: Report, what: str, here: Here) -> Iterator[list[Piece]]:
    stopped = "commit" if what == "message" else what
    if report.findings and not report.blocking:
        yield [("bold yellow", f"keyleash lets this {stopped} pass, with what is less severe than '{report.fail_on}':")]
        for finding in report.findings:
            yield from finding_rows(finding)
    elif report.findings:
        number = count(len(report.findings), "credential")
        holder = "its message holds" if what == "message" else "it holds"
        yield [("bold red", f"keyleash stopped this {stopped}: {holder} {number}.")]
        yield []
        for finding in report.findings:
            yield from finding_rows(finding)
        yield []
        yield [("bold", "How to go on")]
        yield from _way_out(report, what, here)
        yield from _revoke(report)
        yield from _false_alarm(report.blocking[0], what, here)
    if report.skipped and not report.blocking:
        yield [("bold yellow", f"keyleash stopped this {stopped}: not everything could be scanned.")]
    yield from skipped_rows(report)
    for note in report.coverage.notes:
        yield [("dim", f"Note: {visible(note)}")]
    yield [("dim", " ".join([f"Scanned {covered(report)}.", *asides(report)]))]


def _way_out(report: Report, what: str, here: Here) -> Iterator[list[Piece]]:
    if what == "message":
        yield [("", "  1. Take it out of the message, which git has kept:")]
        yield [("", '     git commit -e -F "$(git rev-parse --git-path COMMIT_EDITMSG)"')]
    elif what == "commit":
        paths = sorted({where.origin.path for finding in report.findings for where in finding.locations if where.origin.path})
        names = " ".join(_from(here, path) for path in paths[:_NAMES]) + (" …" if len(paths) > _NAMES else "")
        yield [("", f"  1. Take it out of the commit:  git {'rm --cached' if here.first else 'restore --staged'} {names}")]
        yield [("", "     Keep the file outside the repository, or name it in .gitignore, and let programs read the value")]
        yield [("", "     from the environment.")]
    elif any(where.origin.commit for finding in report.findings for where in finding.locations):
        yield [("", "  1. Take it out of the commits that bring it (git rebase -i), not only out of the last one.")]
    else:
        yield [("", "  1. Take it out of the file, and let programs read the value from the environment.")]


def _revoke(report: Report) -> Iterator[list[Piece]]:
    yield [("", "  2. If it was ever pushed or mailed, it is public: revoke it.")]
    rules: dict[str, Rule] = {finding.rule.id: finding.rule for finding in report.findings}
    for rule in rules.values():
        yield [("", f"     {rule.name}: {rule.fix}")]


def _false_alarm(finding: Finding, what: str, here: Here) -> Iterator[list[Piece]]:
    where = finding.locations[0]
    allow = f"keyleash:allow {finding.rule.id}, the reason"
    if where.origin.path is None:
        yield [("", "  3. A false alarm? Add this line to the message, right before the one that is meant:")]
        yield [("", f"     {allow}")]
        return
    comment = _comment(where.origin.path, allow)
    if comment and not where.way:
        again = {"commit": "'git add' and commit again", "push": "put it into the commit that brings the line"}
        yield [("", f"  3. A false alarm? Paste this line, with the reason, right before {place(where)};")]
        yield [("", f"     then {again.get(what, 'run again')}:")]
        yield [("", f"     {comment}")]
        yield [("", "     or accept it by its id, and add the baseline to the commit:")]
    else:
        yield [("", "  3. A false alarm? Accept it by its id, and add the baseline to the commit:")]
    words = [*here.command, "baseline", "update", finding.fingerprint[:8], *["--staged"] * (what == "commit"), *here.options]
    accept = " ".join(map(_quoted, words))
    yield [("", f"     {accept} --reason 'the reason'; git add {_from(here, here.baseline)}")]


def _comment(path: str, text: str) -> str:
    """Return a text as a comment line of a file, or nothing where its form has no comments.

    >>> _comment("a/b.sql", "x")
    '-- x'
    """
    ending = path.rpartition(".")[2].lower()
    mark = next((mark for mark, endings in _COMMENTS.items() if ending in endings), "#")
    start, _, end = mark.partition(" ")
    return " ".join(filter(None, (start, text, end))) if mark else ""


def _from(here: Here, path: str) -> str:
    """Return a path below the top as a word for the shell in the reader's folder, and none that git takes for an option."""
    name = os.path.relpath(path, here.folder).replace(os.sep, "/") if here.folder else path
    return _quoted(f"./{name}" if name.startswith(("-", ":")) else name)


def _quoted(path: str) -> str:
    """Return a path as a word for the shell, with the bytes that cannot be shown in the form of `$'…'`."""
    if visible(path) == path:
        return shlex.quote(path)
    plain = range(0x20, 0x7F)
    return "$'" + "".join(chr(b) if b in plain and b not in b"'\\#" else f"\\x{b:02x}" for b in os.fsencode(path)) + "'"
