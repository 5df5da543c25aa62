"""A delta's windows hold every anchor that its base had not, and a delta rebuilds what git rebuilds."""

from __future__ import annotations

import tracemalloc
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.edges import edge_bound
from scanner.pipeline import Sight, sight
from scanner.sources.deltas import apply, forest, sizes
from scanner.sources.packs import Corrupt, Pack, PackName
from scanner.sources.packscan import Batch
from tests.sources.packing import Edit, Store, delta, edited, made_up_rules, object_id, ofs_delta, ref_delta, whole

# Tokens bound by what is beside them, by a word's or a line's edge, and by the text's edges.
PATTERNS = (
    r"K[ab]{6}(?![a-z])",
    r"(?<![a-z])L[ab]{3}",
    r"\bM[ab]{2}\b",
    r"(?m)^N[ab]{2}$",
    r"^O[ab]{2}",
    r"P[ab]{2}$",
    r"Q[ab](?!\s)",
)
TEXT = st.text("abKLMNOPQ \n", max_size=40).map(str.encode)


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


@pytest.mark.parametrize(("engine", "edges"), LOOKS)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(chain=chains(), others=st.lists(TEXT, max_size=3))
def test_every_version_with_an_anchor_is_handed_on(
    engine: str, edges: bool, chain: list[tuple[bytes, list[Edit] | None]], others: list[bytes]
) -> None:
    sees = look(engine, edges)
    found: dict[int, bytes] = {}
    batch = Batch(sees, lambda key, kind, data: found.update({key: data}))
    for number, text in enumerate(others):
        batch.add(100 + number, 3, text, -1, None)
    before = b""
    for key, (data, edits) in enumerate(chain):
        cuts = None
        if edits is not None:
            made, cuts = apply(before, delta(before, edits), sees.margin)
            assert made == data
        batch.add(key, 3, data, key - 1, cuts)
        before = data
    batch.flush()
    texts = {key: data for key, (data, _) in enumerate(chain)} | {100 + number: text for number, text in enumerate(others)}
    assert found == {key: data for key, data in texts.items() if sees.anchors(data)}


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
@pytest.mark.parametrize("engine", ["hyperscan", "regex"])
def test_a_token_is_met_wherever_it_stands(engine: str, base: bytes, edits: list[Edit]) -> None:
    sees = look(engine, False)
    target, cuts = apply(base, delta(base, edits), sees.margin)
    assert target == edited(base, edits)
    assert sees.anchors(target)
    met: list[int] = []
    batch = Batch(sees, lambda key, kind, data: met.append(key))
    batch.add(0, 3, base, -1, None)
    batch.add(1, 3, target, 0, cuts)
    batch.flush()
    assert 1 in met


def test_the_windows_are_the_edits_and_no_more() -> None:
    base = bytes(range(256)) * 40
    _, cuts = apply(base, delta(base, [(0, 5000), b"new", (5000, 5240)]), 10)
    assert cuts == [4990, 5013]
    _, cuts = apply(base, delta(base, [(0, 3000), (3000, 7240)]), 10)
    assert cuts == []


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
        made, _ = apply(base, delta(base, edits), 0)
        assert store.git("cat-file", "blob", object_id(made).hex()) == made == edited(base, edits)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text[:-1], id="cut"),
        pytest.param(lambda text: text[:4], id="cut in a copy"),
        pytest.param(lambda text: b"\x09" + text[1:], id="for another base"),
        pytest.param(lambda text: text[:1] + b"\x7f" + text[2:], id="another length"),
        pytest.param(lambda text: text + b"\0", id="reserved instruction"),
        pytest.param(lambda text: text + b"\x90\x7f", id="longer than it says"),
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


def test_a_small_delta_cannot_make_a_large_object() -> None:
    base = b"x" * 60000
    bomb = _bomb(base, 100_000)
    assert sizes(bomb)[1] == 10
    tracemalloc.start()
    with pytest.raises(Corrupt):
        apply(base, bomb, 0)
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
