"""The message of a commit that is being made, as git hands it to a commit-msg hook."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.model import Blob, Coverage, Item, Origin, Skipped

LIMIT = 16 * 1024 * 1024
"""Bytes of a message that are read."""

# `git commit --verbose` shows the changes below this line, and cuts it and them off (source: git-commit(1), "scissors").
# The line behind it is a comment too; a message that merely quotes the first is not cut.
_SCISSORS = re.compile(rb"(?m)^(\S+) -{24} >8 -{24}\n\1 ")


class Message(NamedTuple):
    """`file` is the one that git names. Comments in it are searched too: whether git keeps them depends on much."""

    file: str

    def items(self) -> Iterator[Item]:
        data = self._read()
        if len(data) > LIMIT:
            yield Skipped(self.file, f"the message has more than {LIMIT:,} bytes; the rest was not scanned")
        cut = _SCISSORS.search(data)
        data = data[: cut.start() if cut else LIMIT]
        yield Blob(data, Origin("commit message"))
        yield Coverage(bytes=len(data))

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}

    def _read(self) -> bytes:
        try:
            handle = os.open(self.file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            with open(handle, "rb") as file:
                if stat.S_ISREG(os.fstat(handle).st_mode):
                    return file.read(LIMIT + 1)
        except OSError as problem:
            raise UsageError(f"{self.file}: the message cannot be read: {problem.strerror}") from None
        raise UsageError(f"{self.file}: is no file, so there is no message to read")
