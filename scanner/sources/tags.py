"""The messages of annotated tags: a pushed tag can be the one thing that is new, and people write into it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from scanner.gitcommand import Repository
from scanner.model import Coverage, Item, Origin, Skipped
from scanner.sources.objects import Wanted, read_many


class Tags(NamedTuple):
    """Tag objects, by id."""

    repository: Repository
    ids: tuple[str, ...]

    def items(self) -> Iterator[Item]:
        for found in read_many(self.repository, [Wanted(id, Origin("tag message", None, commit=id)) for id in self.ids]):
            if isinstance(found, Skipped):
                yield found
            else:
                yield found[1]
                yield Coverage(bytes=len(found[1].data))
        yield Coverage(refs=len(self.ids))

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        return {}
