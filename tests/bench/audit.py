"""Times `keyleash audit` against itself, with real processes and real Dask workers; see tests/bench/README.md.

    python -m tests.bench.audit workers       40 equal repositories: two workers against one
    python -m tests.bench.audit deaths        the same, a worker killed again and again: what is in the store after all?
    python -m tests.bench.audit kills         clients and workers killed at random moments: the same question
    python -m tests.bench.audit many          2,000 small repositories in a folder: the last 200 against the first 200
    python -m tests.bench.audit forks REPOSITORY       three forks against what they are forks of
    python -m tests.bench.audit again REPOSITORY …     an audit with nothing new against the first, by folder and by HTTP

What another process takes of the machine meanwhile is printed with each run: where it is much, run it again.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.audit.hub import TOKEN, Hub, serving
from tests.audit.made import add, bare
from tests.audit.test_audit import children, command, rows, surroundings
from tests.audit.test_cluster import cluster, worker_of
from tests.sources.packing import Secrets


class Run(NamedTuple):
    """Seconds on the wall and of processor (client, workers), the share that others took of the machine, and the exit code."""

    wall: float
    cpu: float
    workers: float
    others: float
    code: int
    text: str


def busy() -> float:
    """Return the seconds that all processors of the machine were busy (source: proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:7])) / os.sysconf("SC_CLK_TCK")


def spent(pids: Sequence[int]) -> float:
    """Return the processor seconds of processes and of all below them, living or waited for (source: proc_pid_stat(5))."""
    total = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + spent(children(pid))
    return total


def audit(folder: Path, *arguments: str, beside: Sequence[int] = (), env: Mapping[str, str] | None = None) -> Run:
    """Run the command; `beside` are processes that work for it."""
    start, before, working, all_ours = time.perf_counter(), busy(), spent(beside), spent([os.getpid()])
    with open(folder / "said.txt", "w+") as out:
        process = subprocess.Popen(
            command(folder, *arguments), env=surroundings(**(env or {})), stdout=out, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    wall = time.perf_counter() - start
    working, all_ours, all = spent(beside) - working, spent([os.getpid()]) - all_ours, busy() - before
    others = max(0.0, all - working - all_ours) / wall / (os.cpu_count() or 1)
    return Run(wall, usage.ru_utime + usage.ru_stime, working, others, process.returncode, text)


def said(title: str, run: Run) -> None:
    work = f" + workers {run.workers:.2f}" if run.workers else ""
    print(f"  {title}: {run.wall:.2f} s, processor {run.cpu:.2f}{work} s, exit {run.code}; "
          f"others took {run.others:.0%} of the machine", flush=True)  # fmt: skip


def verdict(what: str, ratio: float, holds: bool, limit: str) -> bool:
    print(f"{what}: {ratio:.3f} (limit {limit}): {'holds' if holds else 'MISSED'}", flush=True)
    return holds


def equal(top: Path, count: int, commits: int) -> Path:
    """Make repositories of the same size and different content, each with one key; return the file of their URLs."""
    secrets, lines = Secrets(90), []
    for number in range(count):
        source = random.Random(number)
        files = [secrets.words(200).split(b" ") for _ in range(20)]
        history = []
        for turn in range(commits):
            one = source.randrange(len(files))
            files[one][source.randrange(len(files[one]))] = secrets.words(12)
            history.append({f"d{one % 4}/f{one}.txt": b" ".join(files[one])})
        history[commits // 2]["key.ini"] = b"key " + secrets.aws_id().encode() + b"\n"
        lines.append(f"file://{bare(top / f'r{number}.git', history)}\n")
    (top / "list.txt").write_text("".join(lines))
    return top / "list.txt"


def workers(options: argparse.Namespace, place: Path) -> bool:
    """Pairs of runs with one worker and with two, each into an empty store and cache, and the median of their ratios.

    Each worker, with the git processes it starts, has a core of its own, as it would on machines of one core: else one
    worker uses a part of the core that the second one is to use. A pair during which others took more of the machine
    than `--quiet` says nothing, and is run again.
    """
    targets = str(equal(place / "hub", options.number or 40, options.commits))
    ratios: list[float] = []
    for _ in range(options.attempts):
        runs = []
        for count in (1, 2):
            wait_for_quiet(options.quiet)
            folder = fresh(place / "run")
            with cluster(folder, count) as (address, processes):
                for core, process in enumerate(processes):
                    pin(process.pid, core % (os.cpu_count() or 1))
                audit(folder, "--cluster", address, str(warm(place)))  # rules and engine are loaded, as in a longer audit
                runs.append(audit(folder, "--cluster", address, targets, beside=[one.pid for one in processes]))
            said(f"{count} worker{'s' * (count > 1)}", runs[-1])
        if max(run.others for run in runs) <= options.quiet:
            ratios.append(runs[0].wall / runs[1].wall)
            print(f"  pair {len(ratios)}: {ratios[-1]:.2f} times as fast", flush=True)
        if len(ratios) == options.runs:
            break
    if not ratios:
        print("the machine was never quiet: nothing was measured: MISSED", flush=True)
        return False
    ratio = statistics.median(ratios)
    return verdict("two workers are so many times as fast as one", ratio, ratio >= 1.8, "at least 1.8")


def pin(pid: int, core: int) -> None:
    """Keep a process, its threads and all below it, now and later, to one core."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})
    for child in children(pid):
        pin(child, core)


def wait_for_quiet(share: float) -> None:
    """Wait, ten minutes at most, until others take less of the machine than so much."""
    for _ in range(300):
        before, start = busy(), time.perf_counter()
        time.sleep(2.0)
        if (busy() - before) / (time.perf_counter() - start) / (os.cpu_count() or 1) <= share:
            return


def warm(place: Path) -> Path:
    top = place / "warm"
    if not top.exists():
        equal(top, 4, 3)
    return top / "list.txt"


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def deaths(options: argparse.Namespace, place: Path) -> bool:
    """Kill one of two workers every so many seconds, and hold the store row by row against that of an undisturbed audit."""
    targets = str(equal(place / "hub", options.number or 160, options.commits))
    here, there = fresh(place / "here"), fresh(place / "there")
    said("undisturbed, without a cluster", audit(here, targets))
    ended, killed = threading.Event(), 0
    with cluster(there, 2) as (address, nannies):

        def strike() -> None:
            nonlocal killed
            while not ended.wait(options.every):
                try:
                    os.kill(worker_of(nannies[killed % 2].pid), signal.SIGKILL)
                    killed += 1
                except (ValueError, OSError):
                    continue  # it is being started anew

        thread = threading.Thread(target=strike)
        thread.start()
        run = audit(there, "--cluster", address, targets, beside=[one.pid for one in nannies])
        ended.set()
        thread.join()
    said(f"two workers, of which one was killed every {options.every:g} s, {killed} times", run)
    same = rows(here) == rows(there) and run.code == 1 and killed > 0
    print(f"the stores are {'equal' if same else 'DIFFERENT'} row by row: {'holds' if same else 'MISSED'}", flush=True)
    return same


def kills(options: argparse.Namespace, place: Path) -> bool:
    """Kill clients and those who work for them in turn, 20 times without a cluster and 20 times with one."""
    targets = str(equal(place / "hub", options.number or 30, 200))
    whole = fresh(place / "whole")
    run = audit(whole, targets)
    said("undisturbed", run)
    good = killed_in_turn(place, targets, run.wall, rows(whole), "without a cluster", [], children)
    with cluster(fresh(place / "cluster"), 2) as (address, nannies):
        there = ["--cluster", address]

        def workers(client: int) -> list[int]:
            return [worker_of(nannies[client % 2].pid)]

        good &= killed_in_turn(place, targets, run.wall, rows(whole), "with two workers", there, workers)
    return good


def killed_in_turn(
    place: Path, targets: str, usual: float, expected: object, title: str, there: Sequence[str],
    helpers: Callable[[int], list[int]],
) -> bool:  # fmt: skip
    """Kill 20 times at random moments; whenever an audit comes to its end, compare its store, and begin with an empty one."""
    moments, killed, ended, equals = random.Random(5), [0, 0], 0, 0
    folder = fresh(place / "killed")
    while sum(killed) < 20 or ended == 0:
        client = subprocess.Popen(command(folder, *there, targets), env=surroundings(), stdout=-3, stderr=-3)
        turn = (sum(killed)) % 2
        try:
            if sum(killed) < 20:
                client.wait(moments.uniform(0.2, 0.7) * usual)
            code = client.wait(0 if sum(killed) < 20 else 600)
        except subprocess.TimeoutExpired:
            try:
                victims = helpers(client.pid) if turn else [client.pid]
                os.kill(moments.choice(victims), signal.SIGKILL)
                killed[turn] += 1
            except (ValueError, IndexError, OSError):
                pass  # there is none at this moment
            code = client.wait(600)
        if code == 1:
            ended += 1
            equals += rows(folder) == expected
            folder = fresh(place / "killed")
        elif code != -signal.SIGKILL:
            print(f"  the client ended with {code}: MISSED")
            return False
    what = f"{title}: the client was killed {killed[0]} times, those who work for it {killed[1]} times"
    print(f"{what}; {equals} of {ended} stores are equal row by row: {'holds' if equals == ended else 'MISSED'}", flush=True)
    return equals == ended


class Moment(NamedTuple):
    """When so many repositories were done: processor seconds so far of the command and all its processes; its own megabytes."""

    cpu: float
    memory: float


def many(options: argparse.Namespace, place: Path) -> bool:
    """Follow an audit of small repositories, in order, and compare its beginning and its end."""
    number = options.number or 2000
    secrets = Secrets(91)
    for one in range(number):
        files = {f"d{n}/file{n}.txt": secrets.words(60) for n in range(8)}
        files["key.ini"] = b"key " + secrets.aws_id().encode() + b"\n"
        bare(place / "clones" / f"r{one:05}.git", [files, {"d0/file0.txt": secrets.words(60)}])
    good = True
    for title in ("first audit", "with nothing new"):
        moments = followed(place, str(place / "clones"))
        tenth = number // 10
        first, last = (moments[end].cpu - moments[end - tenth].cpu for end in (2 * tenth, number))
        grown = moments[number].memory - moments[tenth].memory
        costs = f"{1000 * first / tenth:.1f} ms of processor a repository, {1000 * last / tenth:.1f} at the end"
        print(f"  {title}: {costs}; the client {moments[tenth].memory:.0f} MB, then {moments[number].memory:.0f}")
        good &= verdict("the last tenth costs so much of the second", last / first, last / first <= 1.15, "at most 1.15")
        good &= verdict("MB that the client grew", grown, grown <= 16, "at most 16")
    return good


def followed(folder: Path, target: str) -> dict[int, Moment]:
    """Audit, and note what it has cost whenever one more repository is done."""
    moments: dict[int, Moment] = {}
    process = subprocess.Popen(command(folder, target), env=surroundings(), stderr=subprocess.PIPE, stdout=-3, text=True)
    assert process.stderr
    for line in process.stderr:
        if done := re.match(r"(\d+)/\d+ ", line):
            status = Path(f"/proc/{process.pid}/status").read_text()
            resident = int(re.findall(r"RssAnon:\s+(\d+)", status)[0]) / 1024
            moments[int(done[1])] = Moment(spent([process.pid]), resident)
    assert process.wait() == 1
    return moments


def forks(options: argparse.Namespace, place: Path) -> bool:
    """Serve a real repository and three forks with a commit of their own, and audit it without and with them."""
    hub, big = Hub(place), Path(options.repositories[0])
    for name in ("big", "fork1", "fork2", "fork3"):
        facts = {"fork": True, "source": "big"} if name != "big" else {}
        (place / "acme").mkdir(exist_ok=True)
        path = hub.add(name, size=100_000, **facts)
        subprocess.run(["git", "clone", "-q", "--mirror", "--local", str(big), str(path)], check=True)
        if facts:
            add(path, {"own.ini": b"key " + Secrets(92).aws_id().encode() + name.encode()}, head(path), 200_000, head(path))
    ratios = []
    with serving(hub):
        surrounding = {"GH_HOST": hub.address, "GH_ENTERPRISE_TOKEN": TOKEN}
        for _ in range(options.runs):
            target = f"github:{hub.address}/acme"
            alone = audit(fresh(place / "alone"), "--name", "big", target, env=surrounding)
            said("the big one alone", alone)
            together = audit(fresh(place / "together"), target, env=surrounding)
            said("with three forks", together)
            ratios.append(together.cpu / alone.cpu - 1)
    ratio = statistics.median(ratios)
    return verdict("of the big one's processor time three forks add", ratio, ratio < 0.1, "under 0.1")


def head(repository: Path) -> str:
    asked = ["git", "-C", str(repository), "symbolic-ref", "HEAD"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def again(options: argparse.Namespace, place: Path) -> bool:
    """Audit real repositories twice, as a folder of clones and served by HTTP."""
    hub = Hub(place)
    (place / "acme").mkdir()
    for path in map(Path, options.repositories):
        name = path.resolve().parent.name.partition("+")[2] or path.resolve().name
        subprocess.run(["git", "clone", "-q", "--mirror", "--local", str(path), str(hub.add(name))], check=True)
    good = True
    with serving(hub):
        urls = place / "urls.txt"
        urls.write_text("".join(f"{hub.address}/acme/{name}.git\n" for name in hub.rows))
        for title, target in (("a folder of clones", place / "acme"), ("mirrors by HTTP", urls)):
            folder = fresh(place / "run")
            first = audit(folder, str(target))
            second = [audit(folder, str(target)) for _ in range(options.runs)]
            said(f"{title}, first", first)
            for one in second:
                said(f"{title}, with nothing new", one)
            ratio = statistics.median(one.cpu for one in second) / first.cpu
            good &= verdict("of the first audit's processor time the second takes", ratio, ratio < 0.02, "under 0.020")
            ratio = statistics.median(one.wall for one in second) / first.wall
            good &= verdict("of the first audit's time the second takes", ratio, ratio < 0.02, "under 0.020")
    return good


BENCHMARKS: dict[str, Callable[[argparse.Namespace, Path], bool]] = {
    "workers": workers, "deaths": deaths, "kills": kills, "many": many, "forks": forks, "again": again,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("repositories", nargs="*", help="git directories of real repositories; they are read only")
    parser.add_argument("--number", type=int, help="how many repositories are made (default: 40, or 2,000 small ones)")
    parser.add_argument("--commits", type=int, default=1200, help="of each of the equal repositories (default: 1,200)")
    parser.add_argument("--every", type=float, default=10.0, help="deaths: seconds between two (default: 10)")
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs (default: 3)")
    parser.add_argument("--quiet", type=float, default=0.1, help="workers: what others may take of the machine (default: 0.1)")
    parser.add_argument("--attempts", type=int, default=12, help="workers: pairs of runs at most (default: 12)")
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as folder:
        return 0 if BENCHMARKS[options.what](options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
