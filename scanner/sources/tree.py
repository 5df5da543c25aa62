"""Files: a folder, single files, or the work tree of a repository.

Of a repository's work tree, what git tracks is read, and what is untracked and not
ignored. Nothing is followed out of the tree: a symbolic link contributes the text of its
target, never the file behind it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from scanner.gitcommand import Repository, entries
from scanner.model import Blob, Coverage, Item, Origin, Skipped
from scanner.sources.pieces import PIECE, pieces

_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Judge(Protocol):
    """What knows the stages behind a source (`scanner.pipeline.Sight`)."""

    def judge(self, blob: Blob) -> list[Any]:
        """Return the matches of a blob with their places, and what of it was skipped."""


Judging = Callable[[], Judge]

SHARE = 500
"""Files that are handed to a process at a time."""

MANY = 3000
"""Files for which more processes are worth starting."""

Entry = tuple[str, str]
"""Where a file is, and the name it is reported under."""


class Folder(NamedTuple):
    """A folder, or one file, given by name: everything below it except git directories.

    `judge` makes, in each of `jobs` processes, what looks at a file's blobs; without it they
    are yielded.
    """

    path: str
    judge: Judging | None = None
    jobs: int = 1

    def items(self) -> Iterator[Any]:
        if not os.path.isdir(self.path):
            # A file that the user named is read even through a symbolic link.
            if os.path.isfile(self.path):
                yield from _read(os.path.realpath(self.path), self.path)
            else:
                yield Skipped(self.path, "is neither a file nor a folder; give its content to --stdin")
            return
        yield from _contents(_walk(self.path), self.judge, self.jobs)

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        from scanner.sources.publickeys import of_folder

        return of_folder(entry[0] for entry in _walk(self.path) if not isinstance(entry, Skipped | Coverage | Blob))


class WorkTree(NamedTuple):
    """The files of a repository that are tracked, or untracked and not ignored; with `names`, just those files.

    Paths are reported relative to the top of the repository. `judge` and `jobs` are as in `Folder`.
    """

    repository: Repository
    names: tuple[str, ...] | None = None
    judge: Judging | None = None
    jobs: int = 1

    def items(self) -> Iterator[Any]:
        yield from _contents(self._entries(), self.judge, self.jobs)

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        from scanner.sources.publickeys import of_repository

        return of_repository(self.repository)

    def _entries(self) -> Iterator[Entry | Item]:
        top = self.repository.work_tree or ""
        safe: dict[str, bool] = {}
        for name in self._names():
            if os.path.isabs(name) or ".." in name.split("/"):  # git writes none, but reads one that was crafted
                yield Skipped(name, "its name leads out of the repository")
                continue
            folder = os.path.dirname(name)
            if folder not in safe:
                safe[folder] = _inside(top, folder)
            place = os.path.join(top, name)
            if os.path.isdir(place) and not os.path.islink(place):
                yield Coverage(notes=(f"{name.rstrip('/')} is another repository: it is scanned when it is named itself",))
            elif safe[folder] and (self.names is None or os.path.lexists(place)):
                yield place, name
            elif not os.path.lexists(place):
                if self.names is not None:
                    yield Skipped(name, "there is no such file")
            else:
                yield Skipped(name, "its folder is a symbolic link that leads elsewhere")

    def _names(self) -> Iterator[str]:
        if self.names is not None:
            yield from self.names
            return
        for entry in entries(
            self.repository.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
        ):
            yield os.fsdecode(entry)


def _contents(found: Iterator[Entry | Item], judge: Judging | None, jobs: int) -> Iterator[Any]:
    """Yield what files hold: their blobs, or where there are many files what processes made of these."""
    waiting: list[Entry] = []
    for item in found:
        if isinstance(item, Blob | Skipped | Coverage):
            yield item
        elif judge is None or jobs < 2:
            yield from _read(*item)
        else:
            waiting.append(item)
    if len(waiting) < MANY:
        for entry in waiting:
            yield from _read(*entry)
        return
    from scanner.sources.processes import Lost, spread  # multiprocessing takes long to import

    assert judge is not None
    shares = [waiting[first : first + SHARE] for first in range(0, len(waiting), SHARE)]
    for share, result in zip(shares, spread(partial(_judging, judge), shares, jobs), strict=True):
        if isinstance(result, Lost):
            yield Skipped(share[0][1], f"was not scanned: {result.reason}; so are {len(share) - 1} more files")
        else:
            yield from result


def _judging(judge: Judging) -> Callable[[list[Entry]], list[Any]]:
    """Return what a process does with its share of the files."""
    look = judge()

    def run(share: list[Entry]) -> list[Any]:
        results: list[Any] = []
        covered = Coverage()
        for entry in share:
            for item in _read(*entry):
                if isinstance(item, Blob):
                    results += look.judge(item)
                elif isinstance(item, Coverage):
                    covered = covered.plus(item)
                else:
                    results.append(item)
        return [*results, covered]

    return run


def _inside(top: str, folder: str) -> bool:
    """Whether a folder of a work tree is really in it, with no symbolic link on the way."""
    place = os.path.join(top, folder)
    return os.path.realpath(place) == os.path.join(os.path.realpath(top), folder).rstrip("/")


def _walk(top: str) -> Iterator[Entry | Item]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                found = sorted(listing, key=lambda entry: entry.name)
        except OSError as problem:
            yield Skipped(folder, f"cannot be listed: {problem.strerror}")
            continue
        folders = []
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                if entry.name == ".git":
                    yield Coverage(notes=(f"{folder} is a repository: its history is scanned when it is named itself",))
                else:
                    folders.append(entry.path)
            else:
                yield entry.path, entry.path
        waiting.extend(reversed(folders))


def _read(path: str, name: str) -> Iterator[Item]:
    """Yield the content of one file, or of a symbolic link its target; special files have none."""
    name = name.replace(os.sep, "/")
    origin = Origin("work tree", name)
    try:
        handle = os.open(path, _OPEN)
    except OSError as problem:
        if problem.errno == errno.ELOOP and os.path.islink(path):
            target = os.fsencode(os.readlink(path))
            yield Blob(target, Origin("symbolic link", name))
            yield Coverage(blobs=1, bytes=len(target), files=1)
        elif problem.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENXIO):
            # Gone since it was listed, a submodule's folder, or a socket: none of them has content.
            yield Skipped(name, f"cannot be read: {problem.strerror}")
        return
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return
        size = 0
        if status.st_size < PIECE:
            data = _read_whole(handle, status.st_size)
            size = len(data)
            yield Blob(data, origin)
        else:
            with os.fdopen(os.dup(handle), "rb", buffering=0) as file:
                yield from pieces(lambda count: _read_exactly(file.fileno(), count), Blob(b"", origin))
            size = status.st_size
        yield Coverage(blobs=1, bytes=size, files=1)
    except OSError as problem:
        yield Skipped(name, f"cannot be read to its end: {problem.strerror}")
    finally:
        os.close(handle)


def _read_whole(handle: int, size: int) -> bytes:
    data = os.read(handle, size + 1)
    # One read is enough for nearly every file; a second tells of one that is growing.
    return data if len(data) == size else data + _read_exactly(handle, PIECE)


def _read_exactly(handle: int, count: int) -> bytes:
    parts = []
    while count > 0:
        part = os.read(handle, count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
