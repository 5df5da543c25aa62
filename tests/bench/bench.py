"""Times Keyleash against kingfisher in one run and prints ratios; see tests/bench/README.md.

    python tests/bench/bench.py hook --peer kingfisher
    python tests/bench/bench.py tree --peer kingfisher REPOSITORY [REPOSITORY …]
    python tests/bench/bench.py history --peer kingfisher REPOSITORY [REPOSITORY …]

Each pair of commands is run in turn, and the ratio is taken pair by pair, because the speed
of a shared machine drifts. Memory is the peak of a command and its children together
(a process group, sampled from /proc), processor time that of all of them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
KEYLEASH = str(Path(sys.executable).parent / "keyleash")


class Run(NamedTuple):
    """One run: seconds on the wall and of processor time, peak megabytes, exit code."""

    wall: float
    cpu: float
    memory: float
    code: int


def measure(command: list[str], cwd: Path) -> Run:
    """Run a command with its output thrown away and return what it cost."""
    before = os.times()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, group_memory(process.pid))
        # To look takes the kernel a while for each process; in a long run it would cost as much as a process of its own.
        time.sleep(max(0.01, (time.perf_counter() - start) / 100))
    wall = time.perf_counter() - start
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall, cpu, peak, process.returncode)


def group_memory(group: int) -> float:
    """Return the resident megabytes of a session's processes, memory they share counted once (`Pss` where it can be read)."""
    total = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) != group:
                continue
            with open(f"/proc/{entry.name}/smaps_rollup", encoding="ascii") as rollup:
                total += next((int(line.split()[1]) for line in rollup if line.startswith("Pss:")), 0)
        except (OSError, ProcessLookupError):
            continue
    return total / 1024


def compare(title: str, ours: list[str], peer: list[str], cwd: Path, runs: int, warmup: int, limits: dict[str, float]) -> bool:
    """Run both in turn, print the medians and the ratios against their limits, and return whether all hold."""
    for _ in range(warmup):
        measure(ours, cwd)
        measure(peer, cwd)
    pairs = [(measure(ours, cwd), measure(peer, cwd)) for _ in range(runs)]
    print(f"\n{title}\n  ours: {' '.join(ours[1:])}\n  peer: {' '.join([Path(peer[0]).name, *peer[1:]])}")
    print(f"  exit codes: ours {pairs[-1][0].code}, peer {pairs[-1][1].code}; {runs} pairs after {warmup} warm-up")
    good = True
    for name in ("wall", "cpu", "memory"):
        mine = statistics.median(getattr(a, name) for a, _ in pairs)
        other = statistics.median(getattr(b, name) for _, b in pairs)
        ratios = sorted(getattr(a, name) / getattr(b, name) for a, b in pairs)
        ratio = statistics.median(ratios)
        verdict = ""
        if name in limits:
            good &= ratio <= limits[name]
            verdict = f"  limit {limits[name]:.2f}: {'holds' if ratio <= limits[name] else 'MISSED'}"
        unit = "MB" if name == "memory" else "s"
        spread = f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"  {name:<7} {mine:8.2f} {unit:<2} to {other:8.2f} {unit:<2} ratio {spread}{verdict}")
    return good


def hook(options: argparse.Namespace, place: Path) -> bool:
    """Ten staged files of 38 kB in all, the second and later runs of each."""
    git(place, "init", "-q")
    words = ["render", "config", "value", "def", "return", "self.items", "# note", "None", "path.join(a, b)", "x = 1", "'text'"]
    source = random.Random(1)
    for number in range(10):
        lines: list[str] = []
        while sum(map(len, lines)) < 3800:
            lines.append(" ".join(source.choices(words, k=8)) + "\n")
        (place / f"module{number}.py").write_text("".join(lines))
    title = "hook, 10 staged files of 38 kB"
    if options.accepting:
        title += ", with a configuration and a baseline"
        accept(place, source)
        git(place, "add", ".keyleash.yaml", ".keyleash-baseline.yaml")
        git(place, "commit", "-qm", "what is accepted")
    git(place, "add", "-A")
    peer = [options.peer, "scan", ".", "--staged", "--no-validate"]
    return compare(title, [KEYLEASH, "hook"], peer, place, options.runs, 2, {"wall": 0.20})


def accept(place: Path, source: random.Random) -> None:
    """Write a configuration of a dozen settings and a baseline of 200 entries."""
    from scanner.baseline import NAME, Entry
    from scanner.baseline import file as files

    (place / ".keyleash.yaml").write_text(
        "rules:\n  disable: [aws-session-token]\npaths:\n  exclude: [vendor/, '*.sample', '!vendor/ours']\n"
        "exclude:\n  secrets: ['^test_', 'dummy[0-9]+']\n  lines: ['(?i)not a secret']\n  stopwords: [acme]\n"
        "comments: [gitleaks, detect-secrets]\nblock:\n  hook: medium\nlimits:\n  archives: 2\n"
    )
    entries = [Entry(source.randbytes(16).hex(), "private-key", "a test key", "ann@example.org") for _ in range(200)]
    files.write(str(place / NAME), source.randbytes(32), entries)


def tree(options: argparse.Namespace, place: Path) -> bool:
    """The files of real repositories, again and again, until there are 10,000 of 100 MB in all."""
    count = size = copy = 0
    while count < 10_000 or size < 100_000_000:
        for repository in options.repositories:
            target = place / f"{copy}-{Path(repository).resolve().parent.name}"
            target.mkdir()
            archive = subprocess.Popen(["git", "--git-dir", repository, "archive", "HEAD"], stdout=subprocess.PIPE)
            subprocess.run(["tar", "x", "-C", str(target)], stdin=archive.stdout, check=True)
            archive.wait()
        copy += 1
        files = [path for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
        count, size = len(files), sum(path.stat().st_size for path in files)
    title = f"tree, {count:,} files of {size / 1e6:.0f} MB"
    peer = [options.peer, "scan", ".", "--no-validate", "--git-history", "none"]
    return compare(title, [KEYLEASH, "scan", "."], peer, place, options.runs, 1, {"wall": 0.35, "memory": 0.50})


def history(options: argparse.Namespace, place: Path) -> bool:
    """The whole history of each repository, two processes, and the least that reading its packs can cost."""
    good = True
    for repository in options.repositories:
        path = str(Path(repository).resolve())
        title = f"history of {Path(path).parent.name}, {pack_bytes(path) / 1e6:.0f} MB packed"
        ours = [KEYLEASH, "scan", "--no-progress", "--jobs", "2", path]
        peer = [options.peer, "scan", path, "--no-validate"]
        good &= compare(title, ours, peer, place, options.runs, 0, {"wall": 0.25, "cpu": 0.30, "memory": 1.0})
        least = measure([sys.executable, str(HERE / "inflate.py"), path], place)
        mine = measure(ours, place)
        print(f"  only inflating every blob once: {least.wall:.2f} s; ours is {mine.wall / least.wall:.1f} times that")
    return good


def pack_bytes(repository: str) -> int:
    return sum(pack.stat().st_size for pack in Path(repository).rglob("objects/pack/*.pack"))


def git(place: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments], check=True)


BENCHMARKS = {"hook": hook, "tree": tree, "history": history}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("repositories", nargs="*", help="bare or other git directories whose files make the tree")
    parser.add_argument(
        "--peer", default=shutil.which("kingfisher"), help="the kingfisher to compare with (pip install kingfisher-bin)"
    )
    parser.add_argument("--accepting", action="store_true", help="hook: with a configuration and a baseline")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_intermixed_args()
    if not options.peer:
        parser.error("no kingfisher on PATH; pip install kingfisher-bin in an environment of its own, and name it with --peer")
    if options.what != "hook" and not options.repositories:
        parser.error("name git repositories, bare or not, by their git directories")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if BENCHMARKS[options.what](options, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
