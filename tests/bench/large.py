"""Scans of repositories of unusual size, made by script: does it end, in which time, with how much memory?

    python -m tests.bench.large FOLDER [blob] [small] [refs] [tenfold]

`blob`: one blob of 2 GB with a key at its end. `small`: 1,000,000 loose objects. `refs`: 100,000 refs.
`tenfold`: ten times the objects of a repository such as rails/rails (12,000,000), in a pack.
The repositories are made in FOLDER, which needs 20 GB, and stay there for the next run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from scanner.examples import expand
from tests.bench.bench import KEYLEASH, measure


def git(place: Path, *arguments: str, stdin: bytes | None = None) -> None:
    command = ["git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    subprocess.run(command, check=True, input=stdin, stdout=subprocess.DEVNULL)


def key() -> bytes:
    """Return an AWS access key id with its secret."""
    return expand("aws_access_key_id = AK" + "IAZ{{base32:15}}\naws_secret_access_key = {{secret:40}}\n", 7).encode()


def blob(place: Path) -> None:
    """One file of 2 GB of text that hardly compresses, a key behind it."""
    source = random.Random(1)
    with open(place / "large.txt", "wb") as file:
        for _ in range(2048):
            file.write(source.randbytes(512 * 1024).hex().encode())
        file.write(b"\n" + key())
    git(place, "add", "-A")
    git(place, "commit", "-qm", "large")
    (place / "large.txt").unlink()


def small(place: Path) -> None:
    """A million loose objects, as a repository has that was never packed; one of them holds a key."""
    objects = place / ".git" / "objects"
    for first in range(256):
        (objects / f"{first:02x}").mkdir(exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_loose, [str(objects)] * 10, range(0, 1_000_000, 100_000)))
    (place / "k.env").write_bytes(key())
    git(place, "add", "-A")
    git(place, "commit", "-qm", "small")


def _loose(objects: str, first: int) -> None:
    for number in range(first, first + 100_000):
        text = b"note %d\n" % number
        data = b"blob %d\0" % len(text) + text
        id = hashlib.sha1(data).hexdigest()
        with open(os.path.join(objects, id[:2], id[2:]), "wb") as file:
            file.write(zlib.compress(data, 1))


def refs(place: Path) -> None:
    """A hundred thousand tags and branches on a hundred commits; one is named after a key."""

    def stream() -> Iterator[bytes]:
        for number in range(100):
            text = b"version %d\n" % number + (key() if number == 50 else b"")
            yield b"commit refs/heads/main\ncommitter a <a@example.org> %d +0000\ndata 1\nx\n" % (1_700_000_000 + number)
            yield b"M 100644 inline file.txt\ndata %d\n%s\n" % (len(text), text)

    git(place, "fast-import", "--quiet", stdin=b"".join(stream()))
    listed = subprocess.run(["git", "-C", str(place), "rev-list", "main"], check=True, capture_output=True).stdout.split()
    lines = [b"create refs/%s/r%d %s\n" % (b"tags" if n % 2 else b"heads", n, listed[n % len(listed)]) for n in range(100_000)]
    git(place, "update-ref", "--stdin", stdin=b"".join(lines))
    git(place, "pack-refs", "--all")


def tenfold(place: Path) -> None:
    """Files that change in many commits: 12,000,000 objects, of which 4,000,000 are blobs, mostly deltas."""
    source = random.Random(3)
    files = [[f"line {n} of {name} {source.random()}" for n in range(60)] for name in range(400)]
    command = ["git", "-C", str(place), "fast-import", "--quiet", "--depth=50"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for number in range(1_000_000):
            write = process.stdin.write
            write(b"commit refs/heads/main\ncommitter a <a@example.org> %d +0000\ndata 1\nx\n" % (1_600_000_000 + number))
            for name in source.sample(range(400), 4):
                files[name][source.randrange(60)] = f"changed {number} {source.random()}"
                text = "\n".join(files[name]).encode() + (b"\n" + key() if number == 500_000 else b"")
                write(b"M 100644 inline d%d/e%d/f%d.txt\ndata %d\n%s\n" % (name % 10, name % 20, name, len(text), text))


CASES = {"blob": blob, "small": small, "refs": refs, "tenfold": tenfold}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    options = parser.parse_args()
    for name in options.names or CASES:
        place = options.folder.resolve() / name
        if not (place / ".git").exists():
            place.mkdir(parents=True, exist_ok=True)
            git(place, "init", "-q", "-b", "main")
            CASES[name](place)
        run = measure([KEYLEASH, "scan", "--no-progress", "--jobs", "2", str(place)], place)
        objects = subprocess.run(["git", "-C", str(place), "count-objects", "-v"], check=True, capture_output=True, text=True)
        said = ", ".join(objects.stdout.split("\n")[:6])
        print(
            f"{name}: exit {run.code}, {run.wall:.1f} s wall, {run.cpu:.1f} s cpu, peak {run.memory:.0f} MB ({said})",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
