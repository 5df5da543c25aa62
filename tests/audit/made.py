"""Bare repositories by `git fast-import`: two processes each, so that an organisation is soon made."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

Files = Mapping[str, bytes]


def bare(path: Path, commits: Sequence[Files], refs: Sequence[str] = ("refs/heads/main",), start: int = 1) -> Path:
    """Make a repository whose commits follow each other, the n-th at `start` + n hours; each ref of `refs` has all of them."""
    path.mkdir(parents=True, exist_ok=True)
    git("init", "-q", "--bare", "--template=", str(path))
    stream = b""
    for number, files in enumerate(commits):
        when = f"Ann <ann@example.org> {1_600_000_000 + 3600 * (start + number)} +0000".encode()
        stream += b"commit refs/heads/main\ncommitter " + when + b"\n" + _data(b"change %d" % number)
        if number == 0 and (path / "packed-refs").exists():
            stream += b"from refs/heads/main^0\n"
        for name, content in files.items():
            stream += b"M 100644 inline " + name.encode() + b"\n" + _data(content)
    for ref in refs:
        if ref != "refs/heads/main":
            stream += f"reset {ref}\nfrom refs/heads/main^0\n\n".encode()
    git("-C", str(path), "fast-import", "--quiet", "--force", stdin=stream)
    git("-C", str(path), "symbolic-ref", "HEAD", "refs/heads/main")
    return path


def add(path: Path, files: Files, ref: str = "refs/heads/main", hour: int = 500, onto: str = "refs/heads/main") -> None:
    """Add a commit on top of a branch, under a ref."""
    when = f"Ann <ann@example.org> {1_600_000_000 + 3600 * hour} +0000".encode()
    stream = f"commit {ref}\ncommitter ".encode() + when + b"\n" + _data(b"more") + f"from {onto}^0\n".encode()
    for name, content in files.items():
        stream += b"M 100644 inline " + name.encode() + b"\n" + _data(content)
    git("-C", str(path), "fast-import", "--quiet", "--force", stdin=stream)


def git(*arguments: str, stdin: bytes = b"") -> bytes:
    command = ["git", "-c", "safe.directory=*", *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)
