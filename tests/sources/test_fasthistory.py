"""The fast way finds what the plain way finds, on real repositories of every kind, and says what it could not read."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.model import Blob, Origin, Report, RuleSet
from scanner.pipeline import Found, Sight, scan, sight
from scanner.rules import load_builtin
from scanner.sources import deltas, fasthistory, packscan, processes
from scanner.sources.fasthistory import FastHistory
from tests.sources.packing import (
    Secrets,
    Store,
    blobs_of,
    delta,
    expect_same,
    index,
    made_up_rules,
    object_id,
    pack,
    ref_delta,
    whole,
)

DEEP = ("--depth=250", "--window=250")
FLAT = ("--depth=0", "--window=0")


def _fast(store: Store, jobs: int = 1, rules: RuleSet | None = None) -> Report:
    rules = rules or load_builtin()
    return scan([FastHistory(store.repository, sight(rules), jobs)], rules)


def _versions(seed: int, count: int) -> list[bytes]:
    """Versions of a file into which parts of credentials come and go, line by line."""
    source, secrets = random.Random(seed), Secrets(seed)
    lines = secrets.words(60).splitlines()
    keys = [(secrets.aws_id(), secrets.aws_secret()) for _ in range(3)]
    pool = [f"aws_access_key_id = {id}".encode() for id, _ in keys]
    pool += [f"aws_secret_access_key = {key}".encode() for _, key in keys]
    pool += [b"aws_access_key_id =", keys[0][0].encode(), keys[0][0].encode() + b"x", b'"' + keys[1][1].encode() + b'"']
    versions = []
    for _ in range(count):
        for _ in range(source.randint(1, 4)):
            place = source.randrange(len(lines) + 1)
            match source.randrange(5):
                case 0 if len(lines) > 5:
                    del lines[place : place + source.randint(1, 4)]
                case 1:
                    lines.insert(place, source.choice(pool))
                case 2 if place < len(lines):
                    line, cut = lines[place], source.randrange(len(lines[place]) + 1)
                    lines[place] = line[:cut] + source.choice([b"", b" ", b"\n", b"Z"]) + line[cut:]
                case 3:
                    start = source.randrange(len(lines))
                    lines[place:place] = lines[start : start + 5]
                case _:
                    lines.insert(place, secrets.words(1).rstrip())
        versions.append(b"\n".join(lines))
    return versions


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), form=st.sampled_from(["deep", "flat", "mixed", "sha256"]))
def test_both_ways_find_the_same(seed: int, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), *(["--object-format=sha256"] if form == "sha256" else []))
        versions = _versions(seed, 24)
        for number, text in enumerate(versions):
            store.commit(
                {"config.ini": text, "other.txt": versions[number // 2][: 50 * number]}, Secrets(seed + number % 3).aws_id()
            )
            if form == "mixed" and number in (8, 16):
                store.git("repack", "-dq", *DEEP)  # what is new, into a pack of its own
        if form != "mixed":
            store.repack(*(FLAT if form == "flat" else DEEP))
        report = expect_same(store)
        assert report.findings
        assert not report.skipped


def test_every_edge_of_the_text_counts(tmp_path: Path) -> None:
    """Patterns that ask for the text's beginning or end, or for what is beside it, on many small versions."""
    rules = made_up_rules(r"^K[ab]{2}", r"K[ab]{4}$", r"(?m)^L[ab]{3}", r"M[ab](?!\s)", r"(?<![a-z])N[ab]{2}(?![a-z])")
    store = Store(tmp_path)
    source = random.Random(7)
    pieces = [b"Kab", b"Kabab", b"Labb", b"Ma", b"Nbb", b"\n", b" ", b"z", Secrets(3).words(8)]
    for _ in range(60):
        store.blob(b"".join(source.choice(pieces) for _ in range(source.randint(1, 9))))
    store.commit({"a": b"Kabab"})
    loose = expect_same(store, rules=rules)
    store.git("repack", "-adfkq", *DEEP)  # -k: what no ref leads to, too
    store.git("prune-packed")
    packed = expect_same(store, rules=rules)
    assert len(packed.findings) == len(loose.findings) == 5
    assert len(blobs_of(packed, "rule-0")) > 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_member_of_a_pair_may_change_alone(tmp_path: Path, jobs: int) -> None:
    """The id stays while the secret changes, and the other way round: each version has its own pair."""
    store, secrets = Store(tmp_path), Secrets(5)
    head, tail = secrets.words(150), secrets.words(150)
    ids, keys = [secrets.aws_id() for _ in range(4)], [secrets.aws_secret() for _ in range(4)]
    for id, key in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (3, 3)]:
        text = head + f"id: {ids[id]}\nregion: eu-west-1\nkey: {keys[key]}\n".encode() + tail
        store.commit({"creds.yaml": text})
    store.repack(*DEEP)
    report = expect_same(store, jobs)
    assert len(blobs_of(report, "aws-access-key-id")) == 6
    assert len([found for found in report.findings if found.rule.id == "aws-access-key-id"]) == 4
    assert len([found for found in report.findings if found.rule.id == "aws-secret-access-key"]) == 4


def test_work_is_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasthistory, "SHARE_BYTES", 1)
    store, secrets = Store(tmp_path), Secrets(9)
    for number in range(8):
        store.commit({f"file{number}": secrets.words(30) + secrets.aws_id().encode() + b"\n"})
    store.repack(*DEEP)
    assert len(expect_same(store, 2).findings) == 8


def test_bases_are_rebuilt_when_little_may_be_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    for text in _versions(11, 30):
        store.commit({"config.ini": text})
    store.repack(*DEEP)
    wide = expect_same(store)
    monkeypatch.setattr(packscan, "HELD_BYTES", 5000)
    narrow = expect_same(store)
    assert wide.findings == narrow.findings != ()


def test_all_kinds_of_objects_are_looked_at(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(1)
    in_blob, in_commit, in_tag, in_utf16, dangling = (secrets.aws_id() for _ in range(5))
    store.commit({"a": in_blob.encode(), "b": b"\xff\xfe" + in_utf16.encode("utf-16-le"), "empty": b""}, f"use {in_commit}")
    store.git("tag", "-a", "-m", f"has {in_tag}", "v1")
    store.repack(*DEEP)
    store.blob(dangling.encode())
    report = expect_same(store)
    assert len(report.findings) == 5
    assert {where.origin.via for found in report.findings for where in found.locations} > {"history", "commit message"}
    assert any("unreachable" in where.origin.via for found in report.findings for where in found.locations)


def test_an_object_in_two_packs_is_counted_once(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(2)
    base, added = secrets.words(40), secrets.aws_id().encode() + b"\n" + secrets.words(40)
    with_id = base + added
    other = with_id + b"more\n"
    store.add_pack([whole(base), ref_delta(object_id(base), delta(base, [(0, len(base)), added]))])
    # The second pack repeats a base that holds a credential; only its delta is new.
    store.add_pack(
        [whole(with_id), ref_delta(object_id(with_id), delta(with_id, [(0, len(with_id)), b"more\n"])), whole(b"x" * 9000)]
    )
    _lend(Store(tmp_path / "twin"), store, base)
    assert list((store.objects / object_id(base).hex()[:2]).iterdir())
    report = expect_same(store)
    assert blobs_of(report, "aws-access-key-id") == {object_id(with_id).hex(), object_id(other).hex()}
    assert report.coverage.blobs == 4


def test_alternates_are_followed(tmp_path: Path) -> None:
    lender, secrets = Store(tmp_path / "lender"), Secrets(4)
    lender.commit({"a": secrets.aws_id().encode()})
    lender.repack(*DEEP)
    middle = Store(tmp_path / "middle", "--shared", clone=str(lender.path))
    middle.commit({"b": secrets.aws_id().encode()})
    borrower = Store(tmp_path / "borrower", "--shared", clone=str(middle.path))
    borrower.commit({"c": secrets.aws_id().encode()})
    assert len(expect_same(borrower).findings) == 3
    (borrower.objects / "info" / "alternates").write_text("../../../middle/.git/objects\n# a remark\n/nowhere/at/all\n")
    report = _fast(borrower)
    assert len(report.findings) == 3
    assert [skipped.what for skipped in report.skipped] == ["/nowhere/at/all"]


def test_alternates_in_a_circle_end(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit({"a": Secrets(6).aws_id().encode()})
    (store.objects / "info" / "alternates").write_text(f"{store.objects}\n../objects\n")
    assert len(_fast(store).findings) == 1


def test_a_linked_work_tree_has_the_same_objects(tmp_path: Path) -> None:
    store = Store(tmp_path / "main")
    store.commit({"a": Secrets(6).aws_id().encode()})
    store.repack(*DEEP)
    store.git("worktree", "add", "-q", "../linked", "-b", "side")
    linked = object.__new__(Store)
    linked.path = tmp_path / "linked"
    assert len(expect_same(linked).findings) == 1


def test_a_shallow_clone_says_so(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path / "full"), Secrets(8)
    for _ in range(3):
        store.commit({"a": secrets.aws_id().encode()})
    shallow = Store(tmp_path / "shallow", "--depth=1", clone=f"file://{store.path}")
    report = expect_same(shallow)
    assert len(report.findings) == 1
    assert "shallow" in report.skipped[0].reason


def _partial_clone(tmp_path: Path) -> Store:
    store, secrets = Store(tmp_path / "full"), Secrets(8)
    for number in range(4):
        store.commit({"a": secrets.words(number + 1) + secrets.aws_id().encode(), "large": secrets.words(400 + number)})
    store.repack(*DEEP)
    store.git("config", "uploadpack.allowFilter", "true")
    return Store(tmp_path / "partial", "--filter=blob:limit=4k", "--no-checkout", clone=f"file://{store.path}")


def test_what_a_partial_clone_lacks_is_counted(tmp_path: Path) -> None:
    clone = _partial_clone(tmp_path)
    report = _fast(clone)
    assert len(report.findings) == 4
    assert [skipped.reason for skipped in report.skipped] == [
        "4 objects are missing from this partial clone and not scanned; nothing is fetched"
    ]
    assert not report.clean


def test_nothing_that_the_repository_names_is_run(tmp_path: Path) -> None:
    clone = _partial_clone(tmp_path)
    witness = tmp_path / "witness"
    clone.git("config", "remote.origin.url", f"ext::touch {witness}")
    clone.git("config", "protocol.ext.allow", "always")
    clone.git("config", "core.fsmonitor", f"touch {witness}")
    clone.git("config", "core.sshCommand", f"touch {witness}")
    clone.git("config", "credential.helper", f"!touch {witness}")
    # One object is damaged and one has no base: git is asked for both, and could ask the remote for them.
    _damage(clone, b"K" * 400)
    _orphan(clone, b"L" * 400, b"L" * 400 + b"child")
    report = _fast(clone)
    assert len(report.findings) == 4
    assert len(report.skipped) == 3
    assert not witness.exists()
    # The trap is live: git by itself runs what the remote's address says.
    missing = clone.git("rev-list", "--objects", "--all", "--missing=print").decode().partition("?")[2].split()[0]
    clone.git("-c", "core.fsmonitor=", "cat-file", "blob", missing, check=False)
    assert witness.exists()


def _orphan(store: Store, base: bytes, child: bytes) -> None:
    """Add a pack with a delta whose base is in no pack; git would not make one."""
    data = pack([ref_delta(object_id(base), delta(base, [(0, len(base)), child[len(base) :]]))])
    stem = store.objects / "pack" / ("pack-" + "f" * 40)
    stem.with_suffix(".pack").write_bytes(data)
    stem.with_suffix(".idx").write_bytes(index(data, {object_id(child): 12}))


def _damage(store: Store, text: bytes) -> str:
    """Write a loose object and break its data."""
    id = store.blob(text)
    file = store.objects / id[:2] / id[2:]
    data = bytearray(file.read_bytes())
    data[-3] ^= 255
    file.chmod(0o600)
    file.write_bytes(data)
    return id


def test_a_damaged_object_is_named_and_the_rest_is_scanned(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(12)
    base, id = secrets.words(40), secrets.aws_id().encode()
    middle, leaf, other = base + b"one\n", base + b"one\ntwo\n", id
    path = store.add_pack(
        [whole(base)]
        + [
            ref_delta(object_id(text), delta(text, [(0, len(text)), more]))
            for text, more in ((base, b"one\n"), (middle, b"two\n"))
        ]
        + [whole(other)]
    )
    loose = _damage(store, secrets.words(30))
    data = bytearray(path.read_bytes())
    data[100] ^= 255
    path.chmod(0o600)
    path.write_bytes(data)
    report = _fast(store)
    assert blobs_of(report, "aws-access-key-id") == {object_id(other).hex()}
    named = {skipped.what: skipped.reason for skipped in report.skipped}
    assert set(named) == {f"object {object_id(base).hex()}", f"object {loose}"}
    assert "2 more objects" in named[f"object {object_id(base).hex()}"]
    assert leaf.startswith(middle)


def _lend(twin: Store, store: Store, text: bytes) -> str:
    """Give a store a loose copy of an object that it has packed; git itself would not write one."""
    place = twin.blob(text)
    (store.objects / place[:2]).mkdir()
    os.link(twin.objects / place[:2] / place[2:], store.objects / place[:2] / place[2:])
    return place


def test_a_text_whose_base_was_no_text_is_looked_at_whole(tmp_path: Path) -> None:
    """A file with a NUL byte is decoded, not looked at in windows; the version without it was copied from there."""
    store, secrets = Store(tmp_path), Secrets(20)
    text = secrets.words(40) + secrets.aws_id().encode() + b"\n" + secrets.words(40)
    binary = b"\0" + text
    store.add_pack([whole(binary), ref_delta(object_id(binary), delta(binary, [(1, len(text))]))])
    report = expect_same(store)
    assert object_id(text).hex() in blobs_of(report, "aws-access-key-id")


def test_another_copy_of_a_damaged_object_serves(tmp_path: Path) -> None:
    store, id = Store(tmp_path), Secrets(13).aws_id().encode()
    text = b"0 " * 300 + id
    path = store.add_pack([whole(text), whole(b"x" * 50000)])
    place = _lend(Store(tmp_path / "twin"), store, text)
    data = bytearray(path.read_bytes())
    data[30] ^= 255
    path.chmod(0o600)
    path.write_bytes(data)
    report = _fast(store)
    assert blobs_of(report, "aws-access-key-id") == {place}
    assert not report.skipped


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(14)
    base, id = secrets.words(20), secrets.aws_id().encode()
    child = base + b"child\n"
    orphan, good = ref_delta(object_id(base), delta(base, [(0, len(base)), b"child\n"])), whole(id)
    data = pack([orphan, good])
    stem = store.objects / "pack" / ("pack-" + "0" * 40)
    stem.with_suffix(".pack").write_bytes(data)
    stem.with_suffix(".idx").write_bytes(index(data, {object_id(child): 12, object_id(id): 12 + len(orphan)}))
    report = _fast(store)
    assert blobs_of(report, "aws-access-key-id") == {object_id(id).hex()}
    assert [skipped.what for skipped in report.skipped] == [f"object {object_id(child).hex()}"]


def test_a_damaged_pack_is_named_and_the_others_are_scanned(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(15)
    first, second = (store.add_pack([whole(secrets.aws_id().encode())]) for _ in range(2))
    first.chmod(0o600)
    first.write_bytes(b"")
    (store.objects / "pack" / "pack-without-index.pack").write_bytes(second.read_bytes())
    report = _fast(store)
    assert len(report.findings) == 1
    assert {Path(skipped.what).name for skipped in report.skipped} == {first.name, "pack-without-index.pack"}


def test_an_object_too_large_to_hold_is_scanned_in_pieces(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(16)
    filler = b"0123456789 abcdef\n" * 2_000_000
    large = filler + secrets.aws_id().encode() + b"\n"
    store.add_pack([whole(large), ref_delta(object_id(large), delta(large, [(0, len(large)), b"and more\n"])), whole(b"small")])
    report = expect_same(store)
    assert len(blobs_of(report, "aws-access-key-id")) == 2
    assert report.coverage.blobs == 3
    assert not report.skipped


def test_noise_in_a_pack_is_never_silent(tmp_path: Path) -> None:
    """Whatever bytes are damaged: no crash, and what is not scanned is told."""
    store, source = Store(tmp_path), random.Random(21)
    for text in _versions(21, 12):
        store.commit({"config.ini": text})
    store.repack(*DEEP)
    whole_scan = _fast(store)
    objects = (whole_scan.coverage.blobs, whole_scan.coverage.commits)
    files = [path for path in (store.objects / "pack").iterdir() if path.suffix in (".pack", ".idx", ".rev")]
    for _ in range(60):
        file = source.choice(files)
        good = file.read_bytes()
        bad = bytearray(good)
        for _ in range(source.choice([1, 1, 4])):
            bad[source.randrange(len(bad))] = source.choice([0, 255, source.randrange(256)])
        file.chmod(0o600)
        file.write_bytes(bad)
        report = _fast(store)
        file.write_bytes(good)
        assert report.skipped or (report.coverage.blobs, report.coverage.commits) == objects


def test_processes_that_are_not_forked_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasthistory, "SHARE_BYTES", 1)
    monkeypatch.setattr(processes, "START_METHOD", "spawn")
    store, secrets = Store(tmp_path), Secrets(22)
    for number in range(4):
        store.commit({f"file{number}": secrets.words(30) + secrets.aws_id().encode() + b"\n"})
    store.repack(*DEEP)
    assert len(expect_same(store, 2).findings) == 4


def test_an_empty_repository_says_so(tmp_path: Path) -> None:
    report = expect_same(Store(tmp_path))
    assert not report.clean
    assert "no commit" in report.skipped[0].reason


class _Deadly:
    """Looks as the real one does, and dies when it is to judge."""

    def __init__(self, rules: RuleSet) -> None:
        self._sight = sight(rules)()
        self.margin, self.edges = self._sight.margin, self._sight.edges
        self.anchors, self.needs_whole = self._sight.anchors, self._sight.needs_whole

    def judge(self, blob: Blob, anchors: list[tuple[int, int]] | None = None) -> list[Found]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_a_process_that_dies_leaves_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasthistory, "SHARE_BYTES", 1)
    store, secrets = Store(tmp_path), Secrets(17)
    for number in range(6):
        store.commit({f"file{number}": secrets.words(20)})
    store.commit({"key": secrets.aws_id().encode()})
    store.repack(*DEEP)
    rules = load_builtin()
    report = scan([FastHistory(store.repository, partial(_Deadly, rules), 2)], rules)
    assert len(report.skipped) == 1 or all("signal 9" in skipped.reason for skipped in report.skipped)
    assert report.coverage.blobs < 7
    assert "signal 9" in report.skipped[0].reason


def test_a_pack_that_appears_during_the_scan_is_scanned(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(18)
    store.commit({"a": secrets.aws_id().encode()})
    store.repack(*DEEP)
    late = secrets.aws_id().encode()
    rules = load_builtin()
    found: list[Found] = []
    for item in FastHistory(store.repository, sight(rules)).items():
        if isinstance(item, Found):
            if not found:
                store.add_pack([whole(late)])
            found.append(item)
    places = {item.location.blob for item in found}
    assert object_id(late).hex() in places
    assert len(places) == 2


def test_a_pack_that_vanishes_is_read_from_its_successor(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(19)
    for number in range(3):
        store.commit({f"a{number}": secrets.aws_id().encode()})
    store.git("repack", "-q", "-d")
    rules = load_builtin()

    def repacks_first() -> Sight:
        if not (store.path / "late").exists():
            store.commit({"late": b"nothing"})
            store.repack("--depth=1")
        return sight(rules)()

    report = scan([FastHistory(store.repository, repacks_first)], rules)
    assert len(report.findings) == 3
    assert not report.skipped


def test_a_delta_that_unfolds_to_more_than_git_may_hold_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git would put it together in memory, and a pack of kilobytes can name gigabytes."""
    monkeypatch.setattr(deltas, "PIECE", 100_000)
    monkeypatch.setattr(deltas, "UNFOLDED", 1_000_000)
    store, base = Store(tmp_path), b"x" * 60_000
    store.commit({"a.txt": b"a"})
    bomb = delta(base, [(0, 60_000)] * 20)
    id = object_id(base * 20)
    store.add_pack([whole(base), ref_delta(object_id(base), bomb)])
    report = _fast(store)
    assert [skipped.what for skipped in report.skipped] == [f"object {id.hex()}"]
    assert "unfolds" in report.skipped[0].reason


def test_a_tags_message_is_no_file_of_some_commit(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path, ticks=True), Secrets(41)
    store.commit({"a": b"nothing"})
    store.commit({"b": b"nothing else"})
    store.git("tag", "-m", secrets.aws_id(), "v1")
    tag = store.git("rev-parse", "v1").decode().strip()
    (finding,) = expect_same(store).findings
    assert [where.origin for where in finding.locations] == [Origin("tag message", commit=tag)]


def test_the_commit_that_brought_an_object_is_named_though_clocks_were_equal(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), Secrets(42)
    store.commit({"a": b"nothing"})
    brought = store.commit({"b": secrets.aws_id().encode()})
    store.git("checkout", "-q", "-b", "side")
    store.commit({"c": b"something"})
    store.git("checkout", "-q", "main")
    store.commit({"d": b"anything"})
    (finding,) = expect_same(store).findings
    assert [where.origin.commit for where in finding.locations] == [brought]
