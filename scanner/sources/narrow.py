"""Less than the whole object store: what some refs lead to, or what commits since a date brought.

The choice is made by git's own walk over the graph. It is said in the ids of commits,
since git before 2.42 takes no `--all` or `--glob` from standard input, and a command line
has no room for the boundary of a large history.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.gitcommand import Repository

_GLOB = frozenset("*?[")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


class Narrow(NamedTuple):
    """What to keep of a history. `refs` are names or patterns as in `git rev-list --glob`; none stands for all refs.

    `since` is a date in any form that git takes: what was in the repository before is left out. A day alone stands for its
    beginning; git would take the present time on that day.
    """

    refs: tuple[str, ...] = ()
    since: str | None = None


def starts(repository: Repository, narrow: Narrow) -> bytes:
    """Return what `git rev-list --stdin` is to read, an id a line. Raises `UsageError` for a ref that does not exist."""
    tips = _tips(repository, narrow.refs)
    if narrow.since is None:
        return b"".join(tip + b"\n" for tip in tips)
    # The commits that are just too old, and so mark what was there before.
    listed = repository.run(
        "rev-list", "--boundary", f"--since={_moment(narrow.since)}", "--stdin", stdin=b"".join(tip + b"\n" for tip in tips)
    )
    lines = listed.splitlines()
    old = [line[1:] for line in lines if line.startswith(b"-")]
    young = {line for line in lines if not line.startswith(b"-")}
    commits = [tip for tip in _peeled(repository, tips) if tip in young]
    return b"".join([*(tip + b"\n" for tip in commits), *(b"^" + id + b"\n" for id in old)])


def said(repository: Repository, narrow: Narrow, commits: int) -> str:
    """Return what was left of the history, in words for a report."""
    refs = ", ".join(narrow.refs) if narrow.refs else "any ref"
    since = ""
    if narrow.since is not None:  # as git understood it: it takes whatever it is given for some date
        seconds = repository.run("rev-parse", f"--since={_moment(narrow.since)}").decode().strip().removeprefix("--max-age=")
        since = f" and was brought since {datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M} UTC"
    return f"of the history only what {refs} leads to{since} was scanned: {commits} commit{'s' * (commits != 1)}"


def _moment(since: str) -> str:
    return f"{since} 00:00" if _DAY.match(since) else since


def _tips(repository: Repository, refs: tuple[str, ...]) -> list[bytes]:
    """Return the ids that refs name, each once."""
    if not refs:
        listed = repository.run("for-each-ref", "--format=%(objectname)")
        head = repository.head()
        return list(dict.fromkeys([*listed.split(), *([head.encode()] if head else [])]))
    found: dict[bytes, None] = {}
    for ref in refs:
        if _GLOB & set(ref):
            pattern = ref if ref.startswith("refs/") else f"refs/{ref}"
            ids = repository.run("rev-parse", f"--glob={pattern}").split()
            if not ids:
                raise UsageError(f"--refs {ref}: no ref matches it; 'git for-each-ref' shows those there are")
        else:
            ids = [repository.resolve(ref).encode()]
        found.update(dict.fromkeys(ids))
    return list(found)


def _peeled(repository: Repository, ids: list[bytes]) -> list[bytes]:
    """Return the commits that refs lead to, through tags; what leads to none is left out."""
    listed = repository.run(
        "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=b"".join(id + b"^{commit}\n" for id in ids)
    )
    rows = [line.split(b" ") for line in listed.splitlines()]
    return list(dict.fromkeys(row[1] for row in rows if row[0] == b"commit"))
