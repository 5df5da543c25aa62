"""What stands in a folder that is a repository, without git: whether a scan of it would meet anything new.

A scan in which nothing is new still starts a dozen processes. All that one reads of a
repository lies in files that git makes anew when they change, so their names, sizes and
times of change tell. The time that is compared is not one that a program can set back.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator

_SETTLED = 2.0
"""Seconds: what changed a moment ago may change again without another time (the files of git's own index are held for
the same; https://git-scm.com/docs/racy-git)."""

_OTHERS = ("modules", "lfs")
"""Folders in a git directory that hold repositories of their own, or content that no scan reads."""

_MOST = 200_000


def standing(path: str) -> bytes | None:
    """Return a digest of all that a scan of a repository reads, or None where only a scan can tell.

    So it is with a linked work tree, a repository that borrows objects of another, one with a link or a very great
    number of files in it, and one that changed a moment ago.
    """
    place = os.path.join(path, ".git")
    place = place if os.path.isdir(place) else path
    if not os.path.isfile(os.path.join(place, "HEAD")) or os.path.lexists(os.path.join(place, "commondir")):
        return None
    if os.path.lexists(os.path.join(place, "objects", "info", "alternates")):
        return None
    digest, newest, count = hashlib.sha256(), 0.0, 0
    try:
        for name, status in _entries(place):
            if stat.S_ISLNK(status.st_mode):
                return None
            line = f"{name}\0{status.st_mode}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
            newest = max(newest, status.st_ctime)
            count += 1
            if count > _MOST:
                return None
    except OSError:
        return None
    return digest.digest() if abs(time.time() - newest) > _SETTLED else None


def _entries(place: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files and folders of a git directory; of loose objects the folders alone, which change with them."""
    objects = os.path.join(place, "objects")
    for folder, folders, files in os.walk(place, onerror=_raise):
        yield folder, os.lstat(folder)
        if folder == place:
            folders[:] = [name for name in folders if name not in _OTHERS]
        folders.sort()
        yield from (
            (name, os.lstat(os.path.join(folder, name))) for name in folders if os.path.islink(os.path.join(folder, name))
        )
        if os.path.dirname(folder) == objects and len(os.path.basename(folder)) == 2:
            continue
        for name in sorted(files):
            yield name, os.lstat(os.path.join(folder, name))


def _raise(problem: OSError) -> None:
    raise problem
