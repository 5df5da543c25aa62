"""In which order the repositories of an audit are looked at: big ones first, and forks behind what they are forks of.

A fork that comes second is fetched and scanned as far as it differs. So of forks of the
same repository one leads, that repository itself where it is among them, and the others wait for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from scanner.sources.organisation import Remote


class Order:
    """The repositories that are still to be given out; those that wait for another to be `done` come behind it."""

    def __init__(self, remotes: Iterable[Remote]) -> None:
        sized = sorted(remotes, key=lambda one: -one.size)
        names = {remote.name for remote in sized}
        self._leader: dict[str, str] = {}
        self._waiting: dict[str, list[Remote]] = {}
        self._free: deque[Remote] = deque()
        first: dict[str, str] = {}
        for remote in sized:
            root = remote.fork_of
            leader = root if root in names else first.setdefault(root, remote.name) if root else remote.name
            if leader == remote.name:
                self._free.append(remote)
            else:
                self._leader[remote.name] = leader
                self._waiting.setdefault(leader, []).append(remote)

    def __bool__(self) -> bool:
        """Whether one may be given out now."""
        return bool(self._free)

    def take(self) -> Remote:
        return self._free.popleft()

    def done(self, remote: Remote) -> None:
        """Let those come that waited for a repository, whatever came of it."""
        self._free.extendleft(reversed(self._waiting.pop(remote.name, [])))

    def kin(self, remote: Remote) -> tuple[str, ...]:
        """Return the names of the repositories that have much of a fork's objects already, the likeliest first."""
        names = (self._leader.get(remote.name), remote.fork_of)
        return tuple(dict.fromkeys(one for one in names if one and one != remote.name))
