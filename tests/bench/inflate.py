"""The least that a scan of a repository's history can cost: every blob entry of its packs inflated once, on two processes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from scanner import gitcommand
from scanner.sources.forest import Forest, forest
from scanner.sources.objectstore import object_store
from scanner.sources.packs import BLOB, Pack, inflate
from scanner.sources.processes import spread


def main(path: str) -> None:
    repository = gitcommand.find(path)
    assert repository
    for name in object_store(repository).packs():
        pack = Pack(name)
        trees = forest(pack)

        def start(pack: Pack = pack, trees: Forest = trees) -> Callable[[tuple[int, int]], int]:
            return lambda share: sum(
                len(inflate(pack.data[trees.start[entry] : trees.end[entry]], trees.size[entry]))
                for entry in range(*share)
                if trees.kind[entry] == BLOB
            )

        print(sum(spread(start, list(trees.shares(4 * 1024 * 1024)), 2)))


if __name__ == "__main__":
    main(sys.argv[1])
