"""The user's cache folder: things that are cheap to keep and may vanish at any time.

Only files that this user alone can write are trusted: what is read here decides what a
scan finds. A cache that cannot be read or written never stops a run.
"""

from __future__ import annotations

import os
import sys


def folder() -> str:
    """Return the cache folder: `KEYLEASH_CACHE`, or the platform's place for caches."""
    named = os.environ.get("KEYLEASH_CACHE")
    if named:
        return named
    if sys.platform == "linux":
        # What platformdirs answers here; importing it would cost a hook 10 ms on every commit.
        # Source: the XDG Base Directory Specification, which has relative paths ignored.
        place = os.environ.get("XDG_CACHE_HOME", "")
        return os.path.join(place if os.path.isabs(place) else os.path.expanduser("~/.cache"), "keyleash")
    from platformdirs import user_cache_dir

    return user_cache_dir("keyleash", appauthor=False)


def stamp(file: str) -> str:
    """Return what changes with a file, without reading it: its size and its time of change."""
    status = os.stat(file)
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"


def read(name: str) -> bytes | None:
    """Return a cached file's bytes, or None when there is none that can be trusted."""
    try:
        with open(os.path.join(folder(), name), "rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
                return None
            return file.read()
    except (OSError, RuntimeError):
        return None


def write(name: str, data: bytes) -> None:
    """Keep bytes under a name, atomically; silently does nothing where the folder cannot be written."""
    try:
        place = folder()
        os.makedirs(place, mode=0o700, exist_ok=True)
        if hasattr(os, "geteuid") and os.stat(place).st_mode & 0o022:
            return
        import tempfile  # 10 ms that only the first run needs to spend

        handle, temporary = tempfile.mkstemp(dir=place)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, os.path.join(place, name))
        except OSError:
            os.unlink(temporary)
            raise
    except (OSError, RuntimeError):
        return
