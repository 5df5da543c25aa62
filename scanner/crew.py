"""Processes that take tasks as these come up, for work that is not known in advance.

`sources.processes.spread` shares out a list; here tasks are added while others run. A
process that dies loses the one task it had, by name, and another takes its place. None
outlives this one.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Hashable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from scanner.sources.processes import START_METHOD, Lost, Start, serve


class Crew:
    """`start` is called once in each of at most `jobs` processes and returns the function to call with a task."""

    def __init__(self, start: Start, jobs: int) -> None:
        self._start = start
        self._jobs = jobs
        self._members: dict[Connection, Any] = {}
        self._busy: dict[Connection, Hashable] = {}
        self._waiting: deque[tuple[Hashable, Any]] = deque()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *reason: object) -> None:
        for pipe, process in self._members.items():
            process.kill()
            process.join()
            pipe.close()

    def submit(self, key: Hashable, task: Any) -> None:
        self._waiting.append((key, task))
        self._hand_out()

    @property
    def pending(self) -> int:
        """How many tasks were submitted whose results were not taken."""
        return len(self._waiting) + len(self._busy)

    @property
    def pipes(self) -> Sequence[Connection]:
        """What to wait for, together with the pipes of other crews."""
        return list(self._busy)

    def take(self, pipe: Connection) -> tuple[Hashable, Any]:
        """Return the key and the result of the task whose pipe is ready: `Lost` where its process died, or an exception."""
        key = self._busy.pop(pipe)
        try:
            _, result = pipe.recv()
        except (EOFError, OSError):
            process = self._members.pop(pipe)
            process.join()
            pipe.close()
            code = process.exitcode or 0
            result = Lost(f"its process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}")
        self._hand_out()
        return key, result

    def _hand_out(self) -> None:
        while self._waiting:
            pipe = next((pipe for pipe in self._members if pipe not in self._busy), None)
            if pipe is None:
                if len(self._members) == self._jobs:
                    return
                pipe = self._join()
            key, task = self._waiting.popleft()
            self._busy[pipe] = key
            try:
                pipe.send((0, task))
            except OSError:
                pass  # its end is seen when it is next waited for

    def _join(self) -> Connection:
        context: Any = multiprocessing.get_context(START_METHOD)
        pipes: tuple[Connection, Connection] = context.Pipe()
        ours, theirs = pipes
        inherited = [*self._members, ours] if START_METHOD == "fork" else []
        process = context.Process(target=serve, args=(theirs, inherited, self._start, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        self._members[ours] = process
        return ours


def ready(crews: Sequence[Crew], timeout: float | None = None) -> list[tuple[Crew, Hashable, Any]]:
    """Wait until a task of any crew is done, and return all that are."""
    owner = {pipe: crew for crew in crews for pipe in crew.pipes}
    found: Any = wait(list(owner), timeout) if owner else []
    return [(owner[pipe], *owner[pipe].take(pipe)) for pipe in found]
