"""Work shared out over processes, in which a lost process loses its task and nothing silently.

A pool of the standard library gives up all tasks when one process dies, and its processes
outlive a parent that is killed. Here a process ends as soon as the parent's end of its
pipe is closed, for whatever reason that is; and on Linux the kernel ends it with its
parent, for a process within a long call of a library listens to nothing.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

Start = Callable[[], Callable[[Any], Any]]
START_METHOD = "fork" if sys.platform == "linux" else "spawn"
"""A forked process has the headers of the packs at once, and needs no `__main__` that can be imported."""

_PR_SET_PDEATHSIG = 1
_AHEAD = 2  # tasks that a process has at hand, so that it need not wait for the next


@dataclass(frozen=True, slots=True)
class Lost:
    """The result of a task whose process ended. The reason is in words for people."""

    reason: str


def spread(start: Start, tasks: Sequence[Any], jobs: int) -> Iterator[Any]:
    """Yield the result of each task, in their order.

    `start` is called once in each of `jobs` processes and returns the function to call
    with a task; it must be picklable where processes are not forked. With one job all
    happens in this process. An exception of a task is raised here. When the iterator is
    closed, or this process ends, the others end at once.
    """
    if jobs < 2 or len(tasks) < 2:
        run = start()
        for task in tasks:
            yield run(task)
        return
    crew = _Crew(start, min(jobs, len(tasks)))
    try:
        yield from crew.run(tasks)
    finally:
        crew.end()


class _Crew:
    def __init__(self, start: Start, jobs: int) -> None:
        context: Any = multiprocessing.get_context(START_METHOD)
        self._members: dict[Connection, Any] = {}
        # The kernel takes the thread that started a process for its parent, and another thread may end long before us.
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else None
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            # A forked process inherits our ends of all pipes; it must not keep them open.
            inherited = [*self._members, ours] if START_METHOD == "fork" else []
            process = context.Process(target=serve, args=(theirs, inherited, start, parent), daemon=True)
            process.start()
            theirs.close()
            self._members[ours] = process
        self._given: dict[Connection, list[int]] = {pipe: [] for pipe in self._members}

    def run(self, tasks: Sequence[Any]) -> Iterator[Any]:
        results: dict[int, Any] = {}
        left = iter(range(len(tasks)))
        for _ in range(_AHEAD):
            for pipe in list(self._given):
                self._give(pipe, left, tasks)
        for number in range(len(tasks)):
            while number not in results:
                if not self._given:
                    results[number] = Lost("no process was left to do it")
                    break
                ready: list[Any] = wait(list(self._given))
                for pipe in ready:
                    results.update(self._take(pipe))
                    self._give(pipe, left, tasks)
            result = results.pop(number)
            if isinstance(result, BaseException):
                raise result
            yield result

    def _take(self, pipe: Connection) -> dict[int, Any]:
        """Return what a process sent; when it has ended, that its tasks are lost."""
        try:
            number, result = pipe.recv()
        except (EOFError, OSError):
            process = self._members[pipe]
            process.join()
            code = process.exitcode
            how = f"signal {-code}" if code and code < 0 else f"exit code {code}"
            return dict.fromkeys(self._given.pop(pipe), Lost(f"the process that scanned it ended with {how}"))
        self._given[pipe].remove(number)
        return {number: result}

    def _give(self, pipe: Connection, left: Iterator[int], tasks: Sequence[Any]) -> None:
        if pipe not in self._given:
            return
        number = next(left, None)
        if number is not None:
            self._given[pipe].append(number)
            try:
                pipe.send((number, tasks[number]))
            except OSError:
                pass  # its end is seen when we next listen to it

    def end(self) -> None:
        for pipe, process in self._members.items():
            process.kill()
            process.join()
            pipe.close()


def serve(pipe: Connection, inherited: list[Connection], start: Start, parent: int | None) -> None:
    """Be a process that does the tasks of its parent, and ends when that does."""
    if parent is not None and sys.platform == "linux":
        _end_with(parent)
    for other in inherited:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(100_000)  # what a task makes is many values and few cycles
    tasks: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, tasks), daemon=True).start()
    run: Callable[[Any], Any] | None = None
    while True:
        number, task = tasks.get()
        try:
            run = run or start()
            result = run(task)
        except Exception as problem:
            result = problem
        try:
            pipe.send((number, result))
        except OSError:
            os._exit(1)


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent has ended (source: prctl(2), PR_SET_PDEATHSIG)."""
    import ctypes

    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return  # the pipe tells of it, too
    if os.getppid() != parent:
        os._exit(1)  # it ended before


def _listen(pipe: Connection, tasks: queue.SimpleQueue[tuple[int, Any]]) -> None:
    """Pass tasks on until the parent's end is closed."""
    try:
        while True:
            tasks.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)
