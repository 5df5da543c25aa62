"""A real Dask scheduler and real workers, of which some die."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.audit.test_audit import audit, children, command, folder_of_urls, rows, surroundings


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """Start a scheduler and workers, each in a process with a nanny that starts it anew."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, wait_for: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard"], env=surroundings(), cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stderr
        for line in process.stderr:
            if found := re.search(wait_for, line):
                return found[0]
        raise AssertionError("it did not start")

    try:
        address = start("scheduler", "--host", "127.0.0.1", "--port", "0", wait_for=r"tcp://127\.0\.0\.1:\d+")
        for _ in range(workers):
            start("worker", address, "--nthreads", "1", "--local-directory", str(folder), wait_for="Registered to")
        yield address, started[1:]
    finally:
        for process in reversed(started):
            for child in children(process.pid):
                _kill(child)
            process.kill()
            process.communicate()


def worker_of(nanny: int) -> int:
    """Return the worker that a nanny watches; there is a process beside it that tracks resources."""
    (found,) = [pid for pid in children(nanny) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_a_cluster_finds_the_same_and_survives_the_death_of_workers(tmp_path: Path) -> None:
    targets = str(folder_of_urls(tmp_path / "hub", 12))
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    assert audit(tmp_path / "here", targets).returncode == 1
    with cluster(tmp_path, 2) as (address, workers):
        with subprocess.Popen(
            command(tmp_path / "there", "--cluster", address, targets), env=surroundings(),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr
            for line in process.stderr:
                if line.startswith("3/12 "):
                    _kill(worker_of(workers[0].pid))
            assert process.wait() == 1
        assert rows(tmp_path / "there") == rows(tmp_path / "here")
        again = audit(tmp_path / "there", "--cluster", address, targets)
    assert again.returncode == 1
    assert "0 blobs, 0 bytes read" in again.stdout
    assert rows(tmp_path / "there") == rows(tmp_path / "here")


def test_no_scheduler_is_one_line(tmp_path: Path) -> None:
    targets = str(folder_of_urls(tmp_path / "hub", 1))
    start = time.monotonic()
    result = audit(tmp_path, "--cluster", "tcp://127.0.0.1:9", targets)
    assert result.returncode == 2
    assert "no scheduler answers there" in result.stderr.splitlines()[-1]
    assert time.monotonic() - start < 60
