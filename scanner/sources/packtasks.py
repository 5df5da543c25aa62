"""The tasks that a scan of an object store is made of, and what runs them, in whichever process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scanner.sources.forest import Forest
from scanner.sources.packs import Corrupt, PackName
from scanner.sources.packscan import Done, Look, PackScan, scan_loose


@dataclass(frozen=True, slots=True)
class PackTask:
    pack: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LooseTask:
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vanished:
    """The result of a task whose pack could not be opened any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Start:
    """What a process needs to begin; picklable, for processes that are not forked."""

    look: Callable[[], Look]
    packs: tuple[tuple[PackName, Forest], ...]

    def __call__(self) -> Callable[[PackTask | LooseTask], Done | Vanished]:
        look = self.look()
        opened: dict[int, PackScan] = {}

        def run(task: PackTask | LooseTask) -> Done | Vanished:
            if isinstance(task, LooseTask):
                return scan_loose(task.paths, look)
            if task.pack not in opened:
                opened.clear()
                try:
                    opened[task.pack] = PackScan(*self.packs[task.pack], look)
                except Corrupt as problem:
                    return Vanished(str(problem))
            return opened[task.pack].run(task.first, task.last)

        return run
