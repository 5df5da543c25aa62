"""Where a repository keeps its objects: its own folder, and those it borrows from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from scanner.gitcommand import Repository
from scanner.model import Skipped
from scanner.sources.packs import PackName, pack_names

MAX_DEPTH = 5
"""How far alternates may name further alternates, as in git."""

_HASH_SIZES = {"sha1": 20, "sha256": 32}
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The object directories of a repository, nearest first, and what could not be followed.

    `hash_size` is the bytes of an object id.
    """

    folders: tuple[str, ...]
    hash_size: int
    skipped: tuple[Skipped, ...] = ()

    def packs(self) -> list[PackName]:
        """Return the packs that have an index, as they are now, the largest first."""
        names = [name for folder in self.folders for name in pack_names(folder, self.hash_size)]
        return sorted(names, key=lambda name: (-_size(name.pack), name.stem))

    def unindexed(self) -> Iterator[str]:
        """Yield packs without an index: git cannot use them."""
        for folder in self.folders:
            names = set(_names(os.path.join(folder, "pack")))
            for name in sorted(names):
                if name.startswith("pack-") and name.endswith(".pack") and name[:-5] + ".idx" not in names:
                    yield os.path.join(folder, "pack", name)

    def loose(self) -> Iterator[str]:
        """Yield the files of loose objects."""
        rest = 2 * self.hash_size - 2
        for folder in self.folders:
            for start in _names(folder):
                if len(start) == 2 and _HEX.issuperset(start):
                    place = os.path.join(folder, start)
                    for name in _names(place):
                        if len(name) == rest and _HEX.issuperset(name):
                            yield os.path.join(place, name)

    def is_partial(self) -> bool:
        """Whether objects may be missing by intention: a pack came from a remote that promised the rest."""
        return any(name.endswith(".promisor") for folder in self.folders for name in _names(os.path.join(folder, "pack")))


def object_store(repository: Repository) -> ObjectStore:
    """Ask git where the objects are, and follow the alternates."""
    lines = repository.run("rev-parse", "--show-object-format", "--git-path", "objects").splitlines()
    top = os.path.join(repository.work_tree or repository.git_dir, os.fsdecode(lines[1]))
    folders: dict[str, None] = {}
    skipped: list[Skipped] = []
    _follow(top, 0, folders, skipped)
    borrowed = dict(repository.environment).get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "")
    for path in filter(None, borrowed.split(os.pathsep)):
        _follow(path, 1, folders, skipped)
    return ObjectStore(tuple(folders), _HASH_SIZES[lines[0].decode()], tuple(skipped))


def _follow(path: str, depth: int, folders: dict[str, None], skipped: list[Skipped]) -> None:
    path = os.path.realpath(path)
    if path in folders:
        return
    if depth > MAX_DEPTH:
        skipped.append(Skipped(path, f"alternates lead on more than {MAX_DEPTH} times: objects there were not scanned"))
        return
    if not os.path.isdir(path):
        skipped.append(Skipped(path, "the repository borrows objects from this folder, and there is none"))
        return
    folders[path] = None
    try:
        with open(os.path.join(path, "info", "alternates"), "rb") as file:
            lines = file.read(1 << 20).split(b"\n")
    except OSError:
        return
    for line in lines:
        if line and not line.startswith(b"#"):
            _follow(os.path.join(path, os.fsdecode(_unquoted(line))), depth + 1, folders, skipped)


def _unquoted(line: bytes) -> bytes:
    """Undo git's quoting of an unusual path (source: `link_alt_odb_entries` in git's odb)."""
    if len(line) < 2 or not (line.startswith(b'"') and line.endswith(b'"')):
        return line
    try:
        return line[1:-1].decode("unicode_escape").encode("latin-1")
    except UnicodeError:
        return line


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
