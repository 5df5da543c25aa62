"""Tasks come back in order; a process that dies loses its tasks by name; none outlives its parent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.sources.processes import Lost, spread
from tests.conftest import Repo, Secrets

ROOT = Path(__file__).resolve().parents[2]


def _square() -> Callable[[int], int]:
    return lambda number: number * number


def _pid() -> Callable[[int], int]:
    def run(number: int) -> int:
        time.sleep(0.01)
        return os.getpid()

    return run


def _deadly() -> Callable[[int], int]:
    def run(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return run


def _broken() -> Callable[[int], int]:
    def run(number: int) -> int:
        raise ZeroDivisionError(number)

    return run


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    assert list(spread(_square, range(50), jobs)) == [number * number for number in range(50)]


def test_several_processes_take_part() -> None:
    used = set(spread(_pid, range(20), 2))
    assert len(used) == 2
    assert os.getpid() not in used


def test_a_killed_process_loses_only_its_tasks() -> None:
    results = list(spread(_deadly, range(40), 2))
    lost = [number for number, result in enumerate(results) if isinstance(result, Lost)]
    assert 3 in lost
    assert len(lost) <= 2
    assert [result for result in results if not isinstance(result, Lost)] == [n for n in range(40) if n not in lost]
    assert "signal 9" in results[3].reason


def test_when_all_processes_are_gone_the_rest_is_lost_too() -> None:
    results = list(spread(_all_deadly, range(9), 2))
    assert all(isinstance(result, Lost) for result in results)


def _all_deadly() -> Callable[[int], int]:
    os._exit(7)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_mistake_of_ours_is_raised_here(jobs: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(spread(_broken, range(5), jobs))


def test_closing_ends_the_processes_at_once() -> None:
    results = spread(_pid, range(100_000), 2)
    pids = {next(results) for _ in range(20)}
    results.close()  # type: ignore[attr-defined]
    assert not [pid for pid in pids if _lives(pid)]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT], ids=["SIGTERM", "SIGKILL", "SIGINT"])
def test_no_process_outlives_its_parent(how: signal.Signals) -> None:
    program = (
        "import os, time\nfrom scanner.sources.processes import spread\n"
        "def start():\n    os.write(1, b'%d\\n' % os.getpid())\n    return lambda task: time.sleep(60)\n"
        "if __name__ == '__main__':\n    list(spread(start, range(9), 2))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    assert all(map(_lives, pids))
    parent.send_signal(how)
    parent.communicate(timeout=10)
    deadline = time.monotonic() + 30
    while any(map(_lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(_lives, pids))


def test_a_process_in_a_long_call_does_not_outlive_its_parent() -> None:
    """A process that was within one call of a library listened to nothing until that returned."""
    program = (
        "import os\nfrom scanner.sources.processes import spread\n"
        "def start():\n    os.write(1, b'%d\\n' % os.getpid())\n    return lambda task: sum(range(10**10))\n"
        "list(spread(start, range(9), 2))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while any(map(_lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    alive = [pid for pid in pids if _lives(pid)]
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    parent.communicate(timeout=10)
    assert not alive


def test_processes_of_a_thread_outlive_it() -> None:
    """The kernel takes the thread that started a process for its parent."""
    results: list[int] = []
    iterator = spread(_pid, range(40), 2)
    thread = threading.Thread(target=lambda: results.append(next(iterator)))
    thread.start()
    thread.join()
    results += list(iterator)
    assert len(results) == 40
    assert not any(isinstance(result, Lost) for result in results)


def test_a_scan_that_is_terminated_takes_all_it_started_along(tmp_path: Path) -> None:
    """git went on walking the history for seconds."""
    repo = Repo(tmp_path / "repo")
    repo.commit("a.txt", "x\n")
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    started = tmp_path / "started"
    git.write_text(f'#!/bin/sh\ncase "$*" in *rev-list*) echo $$ > {started}; exec sleep 60;; *) exec {real} "$@";; esac\n')
    git.chmod(0o755)
    (repo.path / "k.txt").write_text(Secrets("terminated").aws_file())
    repo.git("add", "k.txt")
    repo.git("commit", "-qm", "x")
    scan = subprocess.Popen(
        [sys.executable, "-m", "scanner", "scan", str(repo.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{git.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (started.exists() and started.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(started.read_text())
    assert _lives(pid)
    scan.terminate()
    scan.communicate(timeout=20)
    assert scan.returncode == 143
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
