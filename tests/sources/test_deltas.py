"""A delta's windows hold every anchor that its base had not, and a delta rebuilds what git rebuilds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.edges import edge_bound
from scanner.pipeline import Sight, sight
from scanner.sources.deltas import apply, changed, rebuilt, sizes
from scanner.sources.forest import forest
from scanner.sources.packs import Corrupt, Pack, PackName
from scanner.sources.packscan import Batch
from tests.sources.packing import Edit, Store, delta, edited, index, made_up_rules, object_id, ofs_delta, pack, ref_delta, whole

# Tokens bound by what is beside them, by a word's or a line's edge, and by the text's edges.
PATTERNS = (
    r"K[ab]{6}(?![a-z])",
    r"(?<![a-z])L[ab]{3}",
    r"\bM[ab]{2}\b",
    r"(?m)^N[ab]{2}$",
    r"^O[ab]{2}",
    r"P[ab]{2}$",
    r"Q[ab](?!\s)",
    r"(?:^|\n)R[ab]{2}",
)
TEXT = st.text("abKLMNOPQR \n", max_size=40).map(str.encode)


Way = Callable[[bytes, bytes, int], tuple[bytes, list[int]]]
LOOKS = [(engine, edges) for engine in ("hyperscan", "regex") for edges in (False, True)]


@cache
def look(engine: str, edges: bool) -> Sight:
    """The patterns that mind the text's edges, or those that do not: then nothing looks at the edges separately."""
    sees = sight(made_up_rules(*(pattern for pattern in PATTERNS if edge_bound(pattern) == edges)), engine)()
    assert sees.edges == edges
    return sees


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[bytes, list[Edit] | None]]:
    """Versions of a text: the first whole, each other with the edits that make it of the one before."""
    data = draw(TEXT)
    versions: list[tuple[bytes, list[Edit] | None]] = [(data, None)]
    for _ in range(draw(st.integers(1, 4))):
        edits: list[Edit] = []
        for _ in range(draw(st.integers(1, 5))):
            if draw(st.booleans()) and data:
                start = draw(st.integers(0, len(data) - 1))
                edits.append((start, draw(st.integers(1, len(data) - start))))
            else:
                edits.append(draw(TEXT.filter(bool)))
        data = edited(data, edits)
        versions.append((data, edits))
    return versions


WAYS = pytest.mark.parametrize("way", [apply, changed])


@WAYS
@pytest.mark.parametrize(("engine", "edges"), LOOKS)
@settings(max_examples=120, deadline=None, derandomize=True)
@given(chain=chains(), others=st.lists(TEXT, max_size=3))
def test_every_version_with_an_anchor_is_handed_on(
    way: Way, engine: str, edges: bool, chain: list[tuple[bytes, list[Edit] | None]], others: list[bytes]
) -> None:
    sees = look(engine, edges)
    found: dict[int, tuple[bytes, set[tuple[int, int]]]] = {}
    batch = Batch(sees, lambda key, kind, data, anchors: found.update({key: (data, set(anchors or ()))}))
    for number, text in enumerate(others):
        batch.add(100 + number, 3, text, -1, None)
    before = b""
    for key, (data, edits) in enumerate(chain):
        cuts = None
        if edits is not None:
            made, cuts = way(before, delta(before, edits), sees.margin)
            assert made == data
        batch.add(key, 3, data, key - 1, cuts)
        before = data
    batch.flush()
    texts = {key: data for key, (data, _) in enumerate(chain)} | {100 + number: text for number, text in enumerate(others)}
    assert found == {key: (data, set(sees.anchors(data))) for key, data in texts.items() if sees.anchors(data)}


FILLER = b"\nsome words that say nothing." * 40
TOKEN = b"token=K" + b"ab" * 3
HALF, LENGTH, LONG = len(FILLER) // 2, len(FILLER), len(TOKEN)


@pytest.mark.parametrize(
    ("base", "edits"),
    [
        pytest.param(FILLER, [(0, HALF), TOKEN, (HALF, HALF)], id="inside an insert"),
        pytest.param(FILLER + TOKEN[4:], [(0, HALF), TOKEN[:4], (LENGTH, LONG - 4)], id="across insert and copy"),
        pytest.param(FILLER + TOKEN[:9] + b"zz" + TOKEN[9:], [(0, LENGTH + 9), (LENGTH + 11, LONG - 9)], id="two copies"),
        pytest.param(FILLER + TOKEN, [(0, LENGTH + LONG)], id="wholly copied"),
        pytest.param(FILLER + TOKEN, [(LENGTH, LONG), (0, LENGTH)], id="moved"),
        pytest.param(FILLER + TOKEN + b"zz", [(0, LENGTH + LONG)], id="what followed is gone"),
        pytest.param(b"z" + b"Laaa", [(1, 4)], id="what stood before is gone"),
        pytest.param(FILLER + TOKEN + b"zz" + FILLER, [(0, LENGTH + LONG), (LENGTH + LONG + 2, HALF)], id="another follows"),
        pytest.param(FILLER, [(0, LENGTH), TOKEN], id="at the end"),
        pytest.param(FILLER, [TOKEN, (0, LENGTH)], id="at the beginning"),
    ],
)  # fmt: skip
@WAYS
@pytest.mark.parametrize("engine", ["hyperscan", "regex"])
def test_a_token_is_met_wherever_it_stands(way: Way, engine: str, base: bytes, edits: list[Edit]) -> None:
    sees = look(engine, False)
    target, cuts = way(base, delta(base, edits), sees.margin)
    assert target == edited(base, edits)
    assert sees.anchors(target)
    met: list[int] = []
    batch = Batch(sees, lambda key, kind, data, anchors: met.append(key))
    batch.add(0, 3, base, -1, None)
    batch.add(1, 3, target, 0, cuts)
    batch.flush()
    assert 1 in met


def test_the_windows_are_the_edits_and_no_more() -> None:
    base = bytes(range(256)) * 40
    _, cuts = apply(base, delta(base, [(0, 5000), b"new", (5000, 5240)]), 10)
    assert cuts == [4990, 5013, 3]
    _, cuts = apply(base, delta(base, [(0, 3000), (3000, 7240)]), 10)
    assert cuts == []


def test_with_many_instructions_the_window_goes_from_the_first_change_to_the_last() -> None:
    base = bytes(range(256)) * 40
    many: list[Edit] = [(0, 3000)]
    for start in range(3000, 6000, 20):
        many += [b"new", (start, 20)]
    made, (low, high, further) = changed(base, delta(base, [*many, (6000, 4240)]), 10)
    assert further == len(made) - len(base)
    assert 3000 - 10 - 256 <= low <= 3000 - 10
    assert len(made) - 4240 + 10 <= high <= len(made) - 4240 + 10 + 256 + 20
    assert changed(base, delta(base, [(start, 16) for start in range(0, len(base), 16)]), 10) == (base, [])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(base=st.binary(max_size=300), noise=st.binary(max_size=40))
def test_compiled_code_takes_and_refuses_what_the_plain_way_does(base: bytes, noise: bytes) -> None:
    text = _number(len(base)) + noise

    def outcome(way: Callable[[bytes, bytes], bytes]) -> bytes | str:
        try:
            return way(base, text)
        except Corrupt as problem:
            return str(problem)

    plain, compiled = outcome(lambda base, text: apply(base, text, 0)[0]), outcome(rebuilt)
    # Compiled code passes over a last instruction that copies what is not there, when all of the object is there by then.
    assert compiled == plain or (isinstance(plain, str) and len(compiled) == sizes(text)[1])


def _number(value: int) -> bytes:
    return bytes([value & 127 | 128, value >> 7]) if value > 127 else bytes([value])


def test_git_rebuilds_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path)
    base = bytes(range(256)) * 1200
    chains: list[list[Edit]] = [
        [(0, 65536), (65536, 65536), b"x" * 300],
        [(0x10000, 0x10000), b"y", (0x20304, 0x123)],
        [(0, 1)],
    ]
    first = whole(base)
    entries = [first]
    for edits in chains:
        entries.append(ofs_delta(sum(map(len, entries)), delta(base, edits)))
    store.add_pack(entries)
    for edits in chains:
        made = rebuilt(base, delta(base, edits))
        assert apply(base, delta(base, edits), 0)[0] == made
        assert store.git("cat-file", "blob", object_id(made).hex()) == made == edited(base, edits)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text[:-1], id="cut"),
        pytest.param(lambda text: text[:4], id="cut in a copy"),
        pytest.param(lambda text: b"\x09" + text[1:], id="for another base"),
        pytest.param(lambda text: text[:1] + b"\x7f" + text[2:], id="another length"),
        pytest.param(lambda text: text + b"\0", id="reserved instruction"),
        pytest.param(lambda text: text + b"\x90\x03\x90\x03", id="longer than it says"),
        pytest.param(lambda text: b"\xff" * 40, id="endless length"),
        pytest.param(lambda text: b"", id="empty"),
    ],
)
def test_a_damaged_delta_is_told(change: object) -> None:
    base = b"0123456789"
    good = delta(base, [(2, 5), b"abc"])
    assert apply(base, good, 0)[0] == b"23456abc"
    assert callable(change)
    with pytest.raises(Corrupt):
        apply(base, change(good), 0)
    with pytest.raises(Corrupt):
        rebuilt(base, change(good))


def test_a_small_delta_cannot_make_a_large_object() -> None:
    base = b"x" * 60000
    bomb = _bomb(base, 100_000)
    assert sizes(bomb)[1] == 10
    tracemalloc.start()
    for way in (apply, changed):
        with pytest.raises(Corrupt):
            way(base, bomb, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def _bomb(base: bytes, times: int) -> bytes:
    one = delta(base, [(0, 60000)])
    at = sizes(one)[2]
    return one[:3] + b"\x0a" + one[at:] * times


def test_bases_come_first_and_few_are_held(tmp_path: Path) -> None:
    """Bases named by id may stand behind their deltas, and few wait for theirs."""
    store = Store(tmp_path)
    texts = [b"".join(b"line %d\n" % line for line in range(200))]
    entries = []
    for number in range(30):
        base = texts[number // 2]
        texts.append(base + b"more %d\n" % number)
        entries.append(ref_delta(object_id(base), delta(base, [(0, len(base)), b"more %d\n" % number])))
    entries.append(whole(texts[0]))
    path = store.add_pack(entries)
    trees = forest(Pack(PackName(str(path)[:-5], 20)))
    assert len(trees.kind) == 31
    assert not trees.lost
    held: set[int] = set()
    for entry, base_entry in enumerate(trees.parent):
        assert base_entry < entry
        if base_entry >= 0:
            assert base_entry in held
            if trees.after[base_entry] == trees.after[entry]:
                held.discard(base_entry)
        if trees.after[entry] > entry + 1:
            held.add(entry)
        assert len(held) <= 6  # log2(31) + 1
    assert not held
    assert list(trees.shares(1)) == [(0, 31)]


def test_only_what_is_wanted_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    base = b"base " * 50
    one, two = base + b"one", base + b"two"
    path = store.add_pack(
        [whole(base), whole(b"another")]
        + [ref_delta(object_id(base), delta(base, [(0, 250), text[250:]])) for text in (one, two)]
    )
    trees = forest(Pack(PackName(str(path)[:-5], 20)), lambda id: id == object_id(two))
    assert list(trees.scan) == [0, 1]
    assert list(trees.parent) == [-1, 0]


def test_objects_that_rest_on_each_other_in_a_ring_are_lost(tmp_path: Path) -> None:
    texts = [b"one", b"two", b"three", b"good"]
    ids = [object_id(text) for text in texts]
    entries = [ref_delta(ids[(number + 1) % 3], delta(b"abc", [(0, 3)])) for number in range(3)]
    packed = crafted(tmp_path, [*entries, whole(b"good")], ids)
    trees = forest(packed)
    assert sorted(packed.index.id(number) for number in trees.lost) == sorted(ids[:3])
    assert [packed.index.id(number) for number in trees.number] == ids[3:]


def test_a_long_chain_of_bases_stays_in_order(tmp_path: Path) -> None:
    """As a server without offset deltas writes it, the bases behind what rests on them."""
    count = 3000
    ids = [object_id(b"%d" % number) for number in range(count)]
    entries = [ref_delta(ids[number + 1], delta(b"abc", [(0, 3)])) for number in range(count - 1)]
    packed = crafted(tmp_path, [*entries, whole(b"abc")], ids)
    trees = forest(packed)
    assert [packed.index.id(number) for number in trees.number] == ids[::-1]
    assert list(trees.parent) == list(range(-1, count - 1))
    assert set(trees.after) == {count}


def crafted(folder: Path, entries: list[bytes], ids: list[bytes]) -> Pack:
    """Write a pack and an index that says of each entry that it is the object of that id."""
    data = pack(entries)
    stem = folder / "pack-1"
    stem.with_suffix(".pack").write_bytes(data)
    places = [12 + sum(map(len, entries[:number])) for number in range(len(entries))]
    stem.with_suffix(".idx").write_bytes(index(data, dict(zip(ids, places, strict=True))))
    return Pack(PackName(str(stem), 20))
