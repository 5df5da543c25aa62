"""The walk over a repository's graph that names the places of objects, done beside the scan.

Which objects hold a finding is known only at the end of a scan. So the whole walk is
kept, in a temporary file, and read once they are known. It also gives the names of all
files there were, which are looked at themselves, and of a narrowed history the objects.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from scanner.gitcommand import SPARING, Repository
from scanner.sources.narrow import Narrow, starts

ARGUMENTS = ("rev-list", "--objects", "--in-commit-order", "--reverse", "--date-order")
"""The oldest commit first, whatever clocks say no commit before its parents, and behind each the objects that it brought."""

_BLOCK = 1024 * 1024
_ABSENT = re.compile(rb"(?m)^\?.*")


def picked(text: IO[bytes], pick: Callable[[bytes, list[bytes]], Iterable[int]]) -> Iterator[tuple[bytes, str]]:
    """Yield lines of what a walk printed, each with the commit that it stands behind, or is; empty where there is none.

    `pick` is given some lines, joined and apart, and returns the numbers of those that are wanted, rising. A
    history has a million lines and few are wanted, so there is no loop over them here.
    """
    commit = b""
    while block := text.read(_BLOCK):
        block += text.readline()
        lines = block.split(b"\n")
        done = 0
        for number in pick(block, lines):
            commit = _last_commit(lines, done, number + 1, commit)
            done = number + 1
            yield lines[number], commit.decode()
        commit = _last_commit(lines, done, len(lines), commit)


def _last_commit(lines: list[bytes], first: int, last: int, before: bytes) -> bytes:
    """Return the last of lines that is a commit: it has no name behind it; trees and blobs have, be it empty."""
    for number in range(last - 1, first - 1, -1):
        if len(lines[number]) in (40, 64) and b" " not in lines[number]:
            return lines[number]
    return before


class Beside:
    """A git command that runs beside a scan, and what it printed, kept in a file until it is asked for."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._process: subprocess.Popen[bytes] | None = None
        self._file: IO[bytes] | None = None

    @property
    def begun(self) -> bool:
        return self._process is not None

    def start(self, *arguments: str, stdin: bytes = b"") -> None:
        repository = self._repository
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
            self._process = subprocess.Popen(
                repository.command(*SPARING, *arguments),
                cwd=repository.work_tree or repository.git_dir,
                env=repository.env(),
                stdin=given,
                stdout=self._file,
                stderr=subprocess.DEVNULL,
            )

    def result(self) -> tuple[IO[bytes], int]:
        """Wait for git; return what it printed and its exit code."""
        assert self._process is not None
        assert self._file is not None
        code = self._process.wait()
        self._file.seek(0)
        return self._file, code

    def end(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._file:
            self._file.close()
        self._process = self._file = None

    def __del__(self) -> None:
        self.end()


class Walk:
    """Begins when `start` is called or an answer is asked for."""

    def __init__(self, repository: Repository, narrow: Narrow | None = None) -> None:
        self._repository = repository
        self._narrow = narrow
        self._git = Beside(repository)

    def start(self) -> None:
        if not self._git.begun:
            given = starts(self._repository, self._narrow) if self._narrow else b""
            self._git.start(*ARGUMENTS, "--missing=print", "--stdin" if self._narrow else "--all", stdin=given)

    def text(self) -> IO[bytes]:
        """Return what git printed, when it is done: the oldest commit first, behind each its new objects with their paths.

        Of an object that is missing there is a line that begins with `?`.
        """
        return self._result()[0]

    def ids(self) -> set[bytes]:
        """Return the objects that the walk met."""
        return {bytes.fromhex(line.split()[0].decode()) for line in self.text() if not line.startswith(b"?")}

    def missing(self) -> set[bytes] | None:
        """Return the objects that the graph names and the repository has not, or None when git could not tell."""
        file, code = self._result()
        if code:
            return None
        absent = set()
        while block := file.read(_BLOCK):
            absent.update(_ABSENT.findall(block + file.readline()))
        # What only the reflog leads to is no place to name, but it is missing all the same.
        more = self._repository.attempt(
            "rev-list", "--objects", "--quiet", "--missing=print", "--reflog", "--not", "--all"
        )  # fmt: skip
        if more.returncode:
            return None
        absent.update(line for line in more.stdout.splitlines() if line.startswith(b"?"))
        return {bytes.fromhex(line[1:].split()[0].decode()) for line in absent}

    def _result(self) -> tuple[IO[bytes], int]:
        self.start()
        return self._git.result()

    def end(self) -> None:
        self._git.end()
