"""Indexes of every version and packs that git made are read; what is damaged is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scanner.sources.forest import forest
from scanner.sources.packs import Corrupt, Pack, PackName, inflate, pack_names
from tests.sources.packing import Store, entry, object_id, pack, whole

TEXTS = [b"text %d\n" % number * 9 for number in range(60)]


def _store(path: Path, *options: str) -> PackName:
    store = Store(path)
    made = store.add_pack([whole(text) for text in TEXTS], *options)
    return PackName(str(made)[:-5], 20)


@pytest.mark.parametrize("version", ["1", "2", "2,0x40"], ids=["version 1", "version 2", "64-bit offsets"])
def test_the_index_gives_the_place_of_every_object(tmp_path: Path, version: str) -> None:
    name = _store(tmp_path, f"--index-version={version}")
    packed = Pack(name)
    trees = forest(packed)
    assert len(trees.kind) == len(TEXTS)
    found = {}
    for number, start, end, size in zip(trees.number, trees.start, trees.end, trees.size, strict=True):
        found[packed.index.id(number)] = inflate(packed.data[start:end], size)
    assert found == {object_id(text): text for text in TEXTS}
    for text in TEXTS:
        place = packed.index.find(object_id(text))
        assert place is not None
        assert packed.index.id(place) == object_id(text)
    assert packed.index.find(object_id(b"not there")) is None


def test_64_bit_offsets_are_in_the_index_of_that_test(tmp_path: Path) -> None:
    name = _store(tmp_path, "--index-version=2,0x40")
    with open(name.stem + ".idx", "rb") as file:
        data = file.read()
    assert len(data) > 8 + 1024 + 28 * len(TEXTS) + 40 + 8 * (len(TEXTS) // 2)


@pytest.mark.parametrize("suffix", [".idx", ".pack"])
@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "folder", "pipe", "missing", "version"])
def test_a_damaged_file_is_told(tmp_path: Path, suffix: str, damage: str) -> None:
    name = _store(tmp_path)
    file = Path(name.stem + suffix)
    data = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage == "pipe":
        os.mkfifo(file)
    elif damage != "missing":
        version = data[:4] + b"\0\0\0\x09" + data[8:]
        changed = {"empty": b"", "cut": data[: len(data) // 2], "noise": bytes(range(256)) * 9, "version": version}
        file.write_bytes(changed[damage])
    with pytest.raises(Corrupt):
        Pack(name)


def test_an_entry_of_no_known_type_is_lost_by_name(tmp_path: Path) -> None:
    from tests.sources.packing import index

    good, bad = whole(TEXTS[0]), entry(5, 3, b"abc")
    data = pack([good, bad])
    stem = tmp_path / "pack-1"
    stem.with_suffix(".pack").write_bytes(data)
    stem.with_suffix(".idx").write_bytes(index(data, {object_id(TEXTS[0]): 12, b"\xab" * 20: 12 + len(good)}))
    packed = Pack(PackName(str(stem), 20))
    trees = forest(packed)
    assert [packed.index.id(number) for number in trees.lost] == [b"\xab" * 20]
    assert len(trees.kind) == 1


def test_only_the_stated_length_is_inflated() -> None:
    import zlib

    bomb = zlib.compress(bytes(50_000_000))
    with pytest.raises(Corrupt):
        inflate(bomb, 100)
    assert inflate(zlib.compress(b"abc"), 3) == b"abc"
    with pytest.raises(Corrupt):
        inflate(zlib.compress(b"abc")[:-1], 3)
    with pytest.raises(Corrupt):
        inflate(zlib.compress(b"abc")[:-1] + b"\0", 3)
    assert inflate(zlib.compress(b""), 0) == b""


def test_a_folder_without_packs_has_none(tmp_path: Path) -> None:
    assert list(pack_names(str(tmp_path), 20)) == []
