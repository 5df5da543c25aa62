"""An organisation on loopback, with all that organisations have, is audited by the real command."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.clones import Cache, borrowed
from scanner.store import Store
from scanner.store.results import findings, repositories, skipped
from tests.audit.hub import TOKEN, Hub, serving
from tests.audit.made import add, bare, git
from tests.conftest import ROOT
from tests.sources.packing import Secrets

_COMMAND = """
import sys
from scanner import cli, clones, standing
clones._PAUSE, standing._SETTLED = 0.05, -1.0
sys.exit(cli.main(sys.argv[1:]))
"""


def audit(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *arguments), env=surroundings(**env), capture_output=True, text=True, check=False)


def command(folder: Path, *arguments: str) -> list[str]:
    places = ["--store", str(folder / "store"), "--cache", str(folder / "clones"), "--jobs", "2"]
    return [sys.executable, "-c", _COMMAND, "audit", *places, *arguments]


def surroundings(**env: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **env}


class Planted:
    """Credentials by what a report shows of them, and the repositories that have them."""

    def __init__(self) -> None:
        self._secrets = Secrets(60)
        self.where: dict[str, set[str]] = {}

    def new(self, *names: str) -> bytes:
        id = self._secrets.aws_id()
        self.where[f"{id[:4]}…{id[-4:]}"] = set(names)
        return f"key = {id}\n".encode()

    def words(self) -> bytes:
        return self._secrets.words(40)


def organisation(root: Path) -> tuple[Hub, Planted]:
    hub, planted = Hub(root), Planted()
    big = [{f"file{n % 7}": planted.words()} for n in range(120)]
    kin = ("big", "fork0", "fork1", "fork2")
    big[50]["key.ini"] = planted.new(*kin)
    bare(hub.add("big", size=5000), big)
    for number in range(3):
        fork = hub.add(f"fork{number}", size=5000, fork=True, source="big")
        shutil.copytree(root / "acme" / "big.git", fork)
        add(fork, {"own.ini": planted.new(f"fork{number}")})
    add(root / "acme" / "big.git", {"late.ini": planted.new("big")})
    shared = planted.new(*(f"small{number}" for number in range(0, 40, 8)))
    for number in range(40):
        files = {"a.txt": planted.words(), "b.ini": shared if number % 8 == 0 else b"nothing"}
        bare(hub.add(f"small{number}"), [files, {"b.ini": b"it is gone"}])
    bare(hub.add("archived", archived=True), [{"a": planted.new("archived")}])
    bare(hub.add("private", private=True), [{"a": planted.new("private")}])
    bare(hub.add("pulled"), [{"a": b"nothing"}])
    add(root / "acme" / "pulled.git", {"b": planted.new("pulled")}, "refs/pull/7/head")
    bare(
        hub.add("lfs"),
        [{"a.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "b": planted.new("lfs")}],
    )
    bare(hub.add("modules"), [{".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch /tmp/x"\n',
                               "b": planted.new("modules")}])  # fmt: skip
    bare(hub.add("wiki", has_wiki=True), [{"a": b"nothing"}])
    bare(root / "acme" / "wiki.wiki.git", [{"Home.md": planted.new("wiki.wiki")}])
    bare(hub.add("no-wiki", has_wiki=True), [{"a": b"nothing"}])
    bare(root / "acme" / "new-name.git", [{"a": planted.new("old-name")}])
    hub.add("old-name")
    hub.moved["old-name"] = "new-name"
    bare(hub.add("flaky"), [{"a": planted.new("flaky")}])
    hub.fail["flaky"] = 3
    git("init", "-q", "--bare", str(hub.add("empty")))
    bare(hub.add("hangs"), [{"a": b"nothing"}])
    hub.hang.add("hangs")
    broken = bare(hub.add("corrupt"), [{"a": planted.words()}])
    blob = git("-C", str(broken), "rev-parse", "main:a").decode().strip()
    loose = broken / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"damaged")
    hub.add("vanished")
    return hub, planted


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Planted]]:
    made, planted = organisation(tmp_path_factory.mktemp("hub"))
    with serving(made):
        yield made, planted


def found(folder: Path, hub: Hub) -> dict[str, set[str]]:
    with Store(str(folder / "store")) as store:
        return {
            one.occurrences[0].redacted: {_short(there.repository, hub) for there in one.occurrences} for one in findings(store)
        }


def _short(name: str, hub: Hub) -> str:
    return name.removeprefix(f"{hub.address}/acme/").removesuffix(".git")


def states(folder: Path, hub: Hub) -> dict[str, str]:
    with Store(str(folder / "store")) as store:
        return {_short(one.name, hub): one.state for one in repositories(store)}


def test_an_organisation_is_audited_and_costs_nothing_twice(hub: tuple[Hub, Planted], tmp_path: Path) -> None:
    server, planted = hub
    server.limits = 1
    env = {"GH_HOST": server.address, "GH_ENTERPRISE_TOKEN": TOKEN}
    target = f"github:{server.address}/acme"
    first = audit(tmp_path, "--timeout", "3", target, **env)
    assert first.returncode == 1, first.stderr
    assert found(tmp_path, server) == planted.where
    now = states(tmp_path, server)
    assert {name: state for name, state in now.items() if state != "complete"} == {
        "empty": "incomplete", "hangs": "failed", "corrupt": "failed", "vanished": "gone",
    }  # fmt: skip
    assert "no-wiki.wiki" not in now
    assert len(now) == len(server.rows) + 1
    assert "asks to wait" in first.stderr
    assert "trying again" in first.stderr
    for name in ("hangs", "corrupt", "vanished"):
        assert f"{name}.git: " in first.stdout
    _forks_were_cheap(tmp_path, server)
    _only_forks_were_asked_about(server)
    _no_token(tmp_path, first)
    _nothing_new_is_not_fetched(tmp_path, server, target, env)
    add(server.root / "acme" / "small3.git", {"new.ini": planted.new("small3")})
    server.served.clear()
    assert audit(tmp_path, "--exclude-name", "hangs", target, **env).returncode == 1
    assert set(+server.served) <= {"small3", "flaky", "empty", "corrupt", "new-name"}
    assert found(tmp_path, server) == planted.where


def _forks_were_cheap(folder: Path, hub: Hub) -> None:
    with Store(str(folder / "store")) as store:
        read = {_short(one.name, hub): one.covered for one in repositories(store)}
    assert read["big"].blobs >= 120
    assert [read[f"fork{number}"].blobs for number in range(3)] == [1, 1, 1]
    assert sum(read[f"fork{number}"].bytes for number in range(3)) < 0.1 * read["big"].bytes
    mirrors = {path.name.split("-")[1]: path for path in (folder / "clones").glob("acme-*.git")}
    packs = {name: sum(file.stat().st_size for file in path.glob("objects/pack/*.pack")) for name, path in mirrors.items()}
    assert sum(packs[f"fork{number}"] for number in range(3)) < 0.1 * packs["big"]  # borrowed, and never fetched


def _only_forks_were_asked_about(hub: Hub) -> None:
    asked = [path.partition("?")[0] for path in hub.asked if path.startswith("/api/")]
    assert sorted(path.rpartition("/")[2] for path in asked if "/repos/" in path) == ["fork0", "fork1", "fork2"]
    assert len(asked) == 3 + 1 + 1 + 4  # forks, a limit, the organisation, pages and the empty one behind


def _no_token(folder: Path, result: subprocess.CompletedProcess[str]) -> None:
    assert TOKEN not in result.stdout + result.stderr
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 100
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
    assert not [file for file in files if "hooks" in file.parts]


def _nothing_new_is_not_fetched(folder: Path, hub: Hub, target: str, env: dict[str, str]) -> None:
    hub.served.clear()
    again = audit(folder, "--exclude-name", "hangs", target, **env)
    assert again.returncode == 1
    assert "0 blobs, 0 bytes read" in again.stdout
    assert set(+hub.served) <= {"flaky", "empty", "corrupt", "new-name"}
    assert again.stderr.count(": unchanged") >= 50


def test_only_what_was_asked_for(hub: tuple[Hub, Planted], tmp_path: Path) -> None:
    server, _ = hub
    target = f"github:{server.address}/acme"
    arguments = ["--name", "small1*", "--name", "archived", "--no-archived", "--exclude-name", "small11", target]
    result = audit(tmp_path, *arguments)
    assert set(states(tmp_path, server)) == {f"small1{rest}" for rest in ("", *"023456789")}, result.stderr
    assert audit(tmp_path, "--visibility", "private", target).returncode == 2  # not seen without a token
    one = audit(tmp_path, f"github:{server.address}/acme/lfs")
    assert one.returncode == 1
    assert states(tmp_path, server)["lfs"] == "complete"
    none = audit(tmp_path, f"github:{server.address}/nobody")
    assert none.returncode == 2
    assert len(none.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("ext::sh -c touch% /tmp/x", "no folder, file or URL"),
        ("https://user:secret@example.org/a.git", "with a user or a password"),
        ("ftp://example.org/a.git", "no URL that is fetched from"),
        ("ssh://-oProxyCommand=x/a.git", "no URL that git may be given"),
        ("/does/not/exist", "no folder, file or URL"),
        ("github:http://example.org/acme", "named by https"),
    ],
)
def test_what_is_no_target_is_refused(tmp_path: Path, target: str, said: str) -> None:
    result = audit(tmp_path, target)
    assert result.returncode == 2
    assert said in result.stderr
    assert "secret@" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def folder_of_urls(top: Path, count: int) -> Path:
    secrets = Secrets(70)
    lines = []
    for number in range(count):
        shared = Secrets(71).aws_id() if number % 3 == 0 else secrets.aws_id()
        commits = [{f"f{n % 3}": secrets.words(30) + (f"key {shared}\n".encode() if n == 3 else b"")} for n in range(8)]
        lines.append(f"file://{bare(top / f'r{number}.git', commits)}  # a remark\n")
    (top / "list.txt").write_text("".join(lines))
    return top / "list.txt"


def rows(folder: Path) -> dict[str, set[object]]:
    """What a store says of repositories and findings, but for keys and times."""
    db = sqlite3.connect(folder / "store")
    shown = dict(db.execute("SELECT fingerprint, redacted FROM occurrence"))
    names = dict(db.execute("SELECT id, name FROM repository"))
    said: dict[str, set[object]] = {
        "repository": set(db.execute("SELECT name, state, reason, refs FROM repository")),
        "skipped": set(db.execute("SELECT * FROM skipped")),
        "occurrence": {
            (names[repository], shown[one], *row)
            for repository, one, *row in db.execute(
                "SELECT repository, fingerprint, severity, confidence, evidence FROM occurrence"
            )
        },
        "location": {
            (names[repository], shown[one], *row)
            for repository, one, *row in db.execute(
                "SELECT repository, fingerprint, number, path, line, column, object, commit_id, author, date, via FROM location"
            )
        },
        "finding": {(shown.get(one), rule) for one, rule in db.execute("SELECT fingerprint, rule FROM finding")},
    }
    db.close()
    return said


def children(pid: int) -> list[int]:
    """Return the processes that a process started, from whichever of its threads (source: proc(5))."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended
        return found
    for task in tasks:
        try:
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return found


def test_killed_at_any_moment_and_resumed_it_ends_the_same(tmp_path: Path) -> None:
    """The client and the processes that work for it are killed in turn."""
    targets, source = str(folder_of_urls(tmp_path / "hub", 9)), random.Random(2)
    start = time.monotonic()
    assert audit(tmp_path / _made(tmp_path, "whole"), targets).returncode == 1
    long, expected = time.monotonic() - start, rows(tmp_path / "whole")
    assert len(expected["occurrence"]) == 9
    assert len(expected["finding"]) == 7
    killed = 0
    for attempt in range(2):
        folder = tmp_path / _made(tmp_path, f"kill{attempt}")
        for turn in range(4):
            process = subprocess.Popen(command(folder, targets), env=surroundings(), stdout=-3, stderr=-3)
            time.sleep(source.uniform(0.15, 0.8) * long)
            victims = [process.pid] if turn % 2 else children(process.pid)
            killed += _kill(source.choice(victims)) if victims else 0
            if turn % 2 == 0:
                assert process.wait(60) == 1
            process.wait()
        assert audit(folder, targets).returncode == 1
        assert rows(folder) == expected
    assert killed >= 4


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it was through
        return False
    return True


def _made(top: Path, name: str) -> str:
    (top / name).mkdir()
    return name


def test_a_folder_of_clones_needs_no_network(tmp_path: Path) -> None:
    folder_of_urls(tmp_path / "clones-of-ours" / "team", 3)
    result = audit(tmp_path, str(tmp_path / "clones-of-ours"))
    assert result.returncode == 1, result.stderr
    assert not list((tmp_path / "clones").iterdir())
    assert "3 credentials found. 3 repositories: 3 complete." in result.stdout
    again = audit(tmp_path, str(tmp_path / "clones-of-ours"))
    assert "3 credentials found. 3 repositories: 3 unchanged." in again.stdout
    (tmp_path / "own.yaml").write_text("paths:\n  exclude: [f0]\n")  # then what is unchanged is not all that counts
    other = audit(tmp_path, "--config", str(tmp_path / "own.yaml"), str(tmp_path / "clones-of-ours"))
    assert "0 credentials found. 3 repositories: 3 complete." in other.stdout
    nothing = audit(tmp_path, _empty(tmp_path))
    assert nothing.returncode == 2


def _empty(top: Path) -> str:
    (top / "empty").mkdir()
    return str(top / "empty")


def test_a_fork_is_what_it_would_be_alone(tmp_path: Path) -> None:
    """What a mirror borrows is the fork's as far as its refs lead there: the same places, commits and branches."""
    secrets, top = Secrets(73), tmp_path / "hub"
    text = [{f"f{n % 4}": secrets.words(40) + (b"key " + secrets.aws_id().encode() if n % 6 == 1 else b"")} for n in range(24)]
    bare(top / "acme" / "big.git", text)
    for number in range(2):
        shutil.copytree(top / "acme" / "big.git", top / "acme" / f"fork{number}.git")
    git("-C", str(top / "acme" / "fork1.git"), "update-ref", "refs/heads/main", "main~9")  # behind, with a commit of its own
    add(top / "acme" / "fork1.git", {"f1": text[19]["f3"]})  # which holds what stands elsewhere in the big one
    add(top / "acme" / "big.git", {"late": b"key " + secrets.aws_id().encode()})
    git("-C", str(top / "acme" / "fork1.git"), "repack", "-adq")
    fork = {"size": 9000, "fork": True, "source": "big"}
    hub = Hub(top, rows={"big": {"size": 9000}, "fork0": fork, "fork1": fork})
    with serving(hub):
        env = {"GH_HOST": hub.address}
        together = tmp_path / _made(tmp_path, "together")
        assert audit(together, f"github:{hub.address}/acme", **env).returncode == 1
        alone = tmp_path / _made(tmp_path, "alone")
        assert audit(alone, *(f"{hub.address}/acme/{name}.git" for name in hub.rows)).returncode == 1  # of no kin, by these
    one, other = rows(together), rows(alone)
    for table in ("occurrence", "location", "skipped"):
        assert one[table] == other[table], table
    assert len([row for row in one["location"] if str(row[0]).endswith("fork1.git")]) == 4  # type: ignore[index]


def test_what_lends_objects_stays_as_long_as_what_borrows_them(tmp_path: Path) -> None:
    targets = [f"file://{bare(tmp_path / f'r{number}.git', [{'a': b'%d' % number}])}" for number in range(3)]
    cache = Cache(str(tmp_path / "clones"), 10**9)
    lender = cache.fetch(targets[0])
    borrower = cache.fetch(targets[1], kin=(targets[1], "file:///nowhere", targets[0]))
    other = cache.fetch(targets[2])
    assert [borrowed(path) for path in (lender, borrower, other)] == [None, lender, None]
    assert cache.evict() == []
    cache.size = 1
    assert cache.evict(lambda path: path == borrower) == [other]
    assert cache.evict() == [borrower, lender]
    cache.size = None
    assert borrowed(cache.fetch(targets[1], kin=(targets[0],))) is None  # nobody lends any more
    cache.fetch(targets[0])
    borrower = cache.fetch(targets[2], kin=(targets[0],))
    shutil.rmtree(lender)
    assert cache.fetch(targets[2]) == borrower  # made anew, rather than for ever incomplete
    assert borrowed(borrower) is None
    assert git("-C", borrower, "show", "main:a") == b"2"


def test_the_oldest_clones_make_room(tmp_path: Path) -> None:
    targets = folder_of_urls(tmp_path / "hub", 5)
    assert audit(tmp_path, "--cache-size", "1", "--fetch-jobs", "1", str(targets)).returncode == 1
    assert not list((tmp_path / "clones").glob("*.git"))
    again = audit(tmp_path, str(targets))  # cloned anew, and nothing of it read anew
    assert "0 blobs, 0 bytes read" in again.stdout
    with Store(str(tmp_path / "store")) as store:
        assert [skipped(store, one.name) for one in repositories(store)] == [[]] * 5
