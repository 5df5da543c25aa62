"""The certificates and public keys of a repository, which say whose a private key is.

They are looked for only when a private key was found, by their names, in what is checked
out or staged; a bare repository is asked for its HEAD.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from scanner.gitcommand import Repository, entries
from scanner.model import Origin, Skipped
from scanner.sources.objects import Wanted, read_many

MAX_FILES = 300
MAX_SIZE = 256 * 1024
"""How many files are read, and how large one may be. They add evidence to a finding and decide none."""

_ENDINGS = (".pub", ".crt", ".cer", ".cert", ".pem", ".der")
_NAMES = ("authorized_keys", "authorized_keys2")


def may_hold(name: str) -> bool:
    """Whether a file of this name usually holds a certificate or a public key."""
    name = name.rpartition("/")[2].lower()
    return name.endswith(_ENDINGS) or name in _NAMES


def of_repository(repository: Repository) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of the files that may say whose a key is."""
    wanted = [Wanted(id, Origin("", path)) for path, id in islice(_listed(repository), MAX_FILES)]
    for found in read_many(repository, wanted):
        if not isinstance(found, Skipped) and len(found[1].data) <= MAX_SIZE:
            yield found[1].origin.path or "", found[1].data


def of_folder(names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the same of files that are given by name."""
    for name in islice(filter(may_hold, names), MAX_FILES):
        try:
            if os.path.isfile(name) and not os.path.islink(name) and os.path.getsize(name) <= MAX_SIZE:
                with open(name, "rb") as file:
                    yield name, file.read(MAX_SIZE)
        except OSError:
            continue  # what cannot be read was reported by the scan itself


def _listed(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield path and object id of the files in question: those of the index, else of HEAD."""
    staged = repository.attempt("ls-files", "-z", "--stage") if repository.work_tree else None
    listing = staged if staged and staged.returncode == 0 else repository.attempt("ls-tree", "-r", "-z", "HEAD")
    if listing.returncode:
        return
    for entry in entries(listing.stdout):
        said, _, path = entry.partition(b"\t")
        words = said.decode("ascii", "replace").split()
        name = os.fsdecode(path)
        if may_hold(name) and words[0].startswith("100"):
            yield name, words[1] if listing is staged else words[2]
