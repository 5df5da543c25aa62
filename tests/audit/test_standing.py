"""A folder in which nothing changed is known for that without a scan, and one in which anything did is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner import standing as module
from scanner.order import Order
from scanner.sources.organisation import Remote
from scanner.standing import standing
from tests.sources.packing import Store


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLED", -1.0)


CHANGES: dict[str, Callable[[Store], object]] = {
    "a commit": lambda one: one.commit({"b": b"2"}),
    "an object that no ref names": lambda one: one.blob(b"more"),
    "a branch": lambda one: one.git("branch", "other"),
    "a packed ref": lambda one: one.git("pack-refs", "--all"),
    "another HEAD": lambda one: one.git("symbolic-ref", "HEAD", "refs/heads/next"),
    "a repack": lambda one: one.repack(),
    "a reflog": lambda one: one.git("reflog", "expire", "--expire=now", "--all"),
    "a work tree": lambda one: one.git("worktree", "add", "-q", "--detach", "../other"),
    "a stash": lambda one: ((one.path / "a").write_bytes(b"3"), one.git("stash", "-q")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_a_repository_changes_its_digest(tmp_path: Path, what: str) -> None:
    store = Store(tmp_path / "r")
    store.commit({"a": b"1"})
    before = standing(str(store.path))
    assert before is not None
    assert standing(str(store.path)) == before
    (store.path / "untracked").write_bytes(b"nothing that an audit reads")
    assert standing(str(store.path)) == before
    CHANGES[what](store)
    assert standing(str(store.path)) not in (None, before)


def test_an_older_time_hides_no_change(tmp_path: Path) -> None:
    store = Store(tmp_path / "r")
    store.commit({"a": b"1"})
    head = store.path / ".git" / "refs" / "heads" / "main"
    times, before = os.stat(head).st_mtime_ns, standing(str(store.path))
    time.sleep(0.02)  # a tick of the clock of the file system
    head.write_bytes(head.read_bytes())
    os.utime(head, ns=(times, times))
    assert standing(str(store.path)) not in (None, before)


def test_where_only_a_scan_can_tell_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "r")
    store.commit({"a": b"1"})
    store.git("worktree", "add", "-q", "--detach", "../other")
    Store(tmp_path / "borrows", clone=str(store.path)).git("rev-parse", "HEAD")
    (tmp_path / "borrows" / ".git" / "objects" / "info" / "alternates").write_text(f"{store.objects}\n")
    assert standing(str(tmp_path / "other")) is None
    assert standing(str(tmp_path / "borrows")) is None
    assert standing(str(tmp_path / "nowhere")) is None
    (store.path / ".git" / "refs" / "link").symlink_to(tmp_path, target_is_directory=True)
    assert standing(str(store.path)) is None
    (store.path / ".git" / "refs" / "link").unlink()
    monkeypatch.setattr(module, "_SETTLED", 2.0)
    assert standing(str(store.path)) is None  # it changed a moment ago


def test_forks_come_behind_what_they_are_forks_of() -> None:
    outside = [Remote(f"o{number}", size=5, fork_of="elsewhere") for number in range(3)]
    forks = [Remote("f1", size=9, fork_of="root"), Remote("root", size=8), Remote("f2", size=7, fork_of="root")]
    order = Order([*outside, *forks, Remote("alone", size=1)])
    first = [order.take() for _ in range(3)]
    assert [one.name for one in first] == ["root", "o0", "alone"]
    assert not order
    order.done(first[0])
    order.done(first[2])
    assert [order.take().name, order.take().name] == ["f1", "f2"]
    assert not order
    assert [order.kin(one) for one in (first[0], first[1], forks[0], outside[1])] == [
        (), ("elsewhere",), ("root",), ("o0", "elsewhere"),
    ]  # fmt: skip
