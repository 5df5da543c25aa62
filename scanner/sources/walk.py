"""The walk over a repository's graph that names the places of objects, done beside the scan.

Which objects hold a finding is known only at the end of a scan. So the whole walk is
kept, in a temporary file, and read once they are known.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

from scanner.gitcommand import Repository

ARGUMENTS = ("rev-list", "--objects", "--in-commit-order", "--reverse", "--all")

# git maps whole packs, if it may; these bound what it holds, for a twentieth more time.
_MEMORY = tuple(
    part
    for setting in ("core.packedGitWindowSize=4m", "core.packedGitLimit=64m", "core.deltaBaseCacheLimit=32m")
    for part in ("-c", setting)
)


class Walk:
    """Begins nothing until `start` is called, and may be started again and again."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._process: subprocess.Popen[bytes] | None = None
        self._file: IO[bytes] | None = None

    @property
    def started(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        if self._process:
            return
        repository = self._repository
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            repository.command(*_MEMORY, *ARGUMENTS, "--missing=print"),
            cwd=repository.work_tree or repository.git_dir,
            env=repository.env(),
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.DEVNULL,
        )

    def lines(self) -> Iterator[bytes]:
        """Yield what git printed, when it is done: the oldest commit first, behind each its new objects with their paths."""
        file, _ = self._result()
        for line in file:
            if not line.startswith(b"?"):
                yield line

    def missing(self) -> int | None:
        """Return how many objects the graph names and the repository has not, or None when git could not tell."""
        file, code = self._result()
        if code:
            return None
        count = sum(line.startswith(b"?") for line in file)
        # What only the reflog leads to is no place to name, but it is missing all the same.
        more = self._repository.attempt(
            "rev-list", "--objects", "--quiet", "--missing=print", "--reflog", "--not", "--all"
        )  # fmt: skip
        return None if more.returncode else count + more.stdout.count(b"?")

    def _result(self) -> tuple[IO[bytes], int]:
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
