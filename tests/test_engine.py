"""The two engines give the same matches: on every example, and on random text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import cache
from scanner.commands.rules import check
from scanner.confirm.pattern import search
from scanner.engine import HyperscanEngine, RegexEngine, open_engine
from scanner.errors import UsageError
from scanner.examples import expand
from scanner.model import Blob, Match, Origin, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.rules import load, load_builtin, pattern_width, ruleset_of

RULES = load_builtin()
PIECES = [expand(text).encode() for rule in RULES.rules for text in (*rule.examples, *rule.negatives)]
NOISE = [
    b" ",
    b"\n",
    b"=",
    b"'",
    b'"',
    b"\\n",
    b"secret",
    b"aws_",
    b"key",
    b"password: ",
    b"AKIA",
    b"-----BEGIN ",
    b"\xff",
    b"\0",
    b"a",
    b"/",
]


def found(engine: HyperscanEngine | RegexEngine, data: bytes) -> list[tuple[str, int, int, tuple[str, ...]]]:
    results = list(matches(Blob(data, Origin("test")), engine, RULES))
    assert not [result for result in results if isinstance(result, Skipped)]
    return sorted(
        (match.rule.id, match.start, match.end, match.evidence)
        for match, _ in (result for result in results if not isinstance(result, Skipped))
    )


def test_every_example_is_found_and_no_negative_on_both_engines(rules: RuleSet) -> None:
    assert list(check(rules)) == []


@pytest.fixture(scope="module")
def engines() -> tuple[HyperscanEngine, RegexEngine]:
    return HyperscanEngine(RULES), RegexEngine(RULES)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Examples cut at random places and glued together with noise, so that anchors are met, broken and nested."""
    source = random.Random(draw(st.integers()))
    parts: list[bytes] = []
    for _ in range(draw(st.integers(1, 12))):
        piece = source.choice(PIECES)
        if source.random() < 0.3:
            cut = source.randrange(len(piece) + 1)
            piece = piece[:cut] if source.random() < 0.5 else piece[cut:]
        parts += [piece, *source.choices(NOISE, k=source.randrange(4))]
    return b"".join(parts)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=texts())
def test_both_engines_find_the_same(engines: tuple[HyperscanEngine, RegexEngine], data: bytes) -> None:
    assert found(engines[0], data) == found(engines[1], data)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.text(alphabet="abAB01-_ \n", max_size=300).map(str.encode), before=st.integers(0, 40))
@pytest.mark.parametrize(
    "pattern", [rb"(?<![a-b])(?P<secret>[ab]{2,5})(?![ab0])", rb"\b(?P<secret>[A-B]{3})\b", rb"(?m)^(?P<secret>a.{0,4}b)$"]
)
def test_a_search_around_anchors_equals_a_search_of_everything(pattern: bytes, data: bytes, before: int) -> None:
    """The windows that are searched are an optimisation: they change no match."""
    import regex

    compiled = regex.compile(pattern)
    ends = sorted({match.end() for match in compiled.finditer(data, overlapped=True)})
    expected, done = [], -1
    for match in compiled.finditer(data, overlapped=True):
        if match.start() >= done and match.end() > match.start():
            expected.append(match.span())
            done = match.end()
    width = pattern_width(pattern.decode())
    assert [match.span() for match in search(pattern.decode(), data, ends, width)] == expected


def test_a_pattern_that_hyperscan_only_approximates_is_taken(tmp_path: Path) -> None:
    """It refuses a reference to a group, and with it the whole set, unless it may over-report."""
    file = tmp_path / "own.yaml"
    file.write_text(
        "- {id: acme-twice, name: a word said twice, pattern: 'acme-([a-z]{3})-\\1', confidence: high, severity: low, why: w,\n"
        "   fix: f, references: [https://example.org/], examples: [acme-abc-abc], negatives: [acme-abc-abd]}\n"
    )
    rules = ruleset_of([*RULES.rules[:3], *load([str(file)]).rules])
    for engine in (HyperscanEngine(rules), RegexEngine(rules)):
        (found,) = matches(Blob(b"acme-abc-abc acme-abc-xyz", Origin("test")), engine, rules)
        assert not isinstance(found, Skipped)
        assert found[0].secret == b"acme-abc-abc"


def test_the_plain_engine_names_every_end_as_hyperscan_does() -> None:
    """One start may lead to several ends, and the confirmation asks for the one where the credential is."""
    text = expand("algolia: {{hex:9}}, key: {{hex:32}} key: {{hex:32}}").encode()
    (rule,) = (rule for rule in RULES.rules if rule.id == "algolia-api-key")
    alone = ruleset_of([rule])
    assert RegexEngine(alone).anchors(text) == HyperscanEngine(alone).anchors(text)
    assert len(RegexEngine(alone).anchors(text)) == 2


def test_a_damaged_cached_database_is_rebuilt(rules: RuleSet, secrets: object) -> None:
    HyperscanEngine(rules)
    names = [name for name in __import__("os").listdir(cache.folder()) if name.endswith(".hsdb")]
    assert names
    for name in names:
        cache.write(name, b"not a database")
    text = PIECES[0]
    assert found(HyperscanEngine(rules), text) == found(RegexEngine(rules), text)
    ours = [name for name in names if name.startswith(rules.digest[:32])]  # and perhaps those of another installation
    assert any(cache.read(name) != b"not a database" for name in ours)


def test_a_cache_that_others_can_write_is_not_believed() -> None:
    import os

    cache.write("probe", b"mine")
    assert cache.read("probe") == b"mine"
    os.chmod(os.path.join(cache.folder(), "probe"), 0o666)
    assert cache.read("probe") is None


def test_the_plain_engine_serves_where_hyperscan_is_missing(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hyperscan", None)
    assert open_engine(rules).name == "regex"
    with pytest.raises(UsageError, match="hyperscan is not installed"):
        open_engine(rules, "hyperscan")


def test_an_unknown_engine_is_refused(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYLEASH_ENGINE", "perl")
    with pytest.raises(UsageError, match="no engine is called 'perl'"):
        open_engine(rules)


def test_a_match_shows_no_secret_in_its_repr(rules: RuleSet) -> None:
    match = Match(rules.rules[0], 0, 9, b"very" + b"secret", ("named",), "high", "high")
    assert "verysecret" not in f"{match!r}{match}{[match]}"
    blob = Blob(b"very" + b"secret", Origin("test"))
    assert "verysecret" not in f"{blob!r}{blob}"


def test_the_cache_folder_is_where_platformdirs_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs import user_cache_dir

    monkeypatch.delenv("KEYLEASH_CACHE")
    for value in ("", "relative/cache", "/absolute/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        if not value.startswith("relative"):  # which the specification has ignored
            assert cache.folder() == user_cache_dir("keyleash", appauthor=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/cache")
    assert cache.folder().startswith("/")


def test_a_choice_of_rules_shares_the_database_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules left out, one of a team's own, one that takes a built-in one's place: the same anchors, and little to compile."""
    every = ruleset_of(rule for rule in RULES.rules if rule.id.startswith(("aws-", "github-", "generic-", "slack-")))
    monkeypatch.setattr("scanner.rules.load_builtin", lambda: every)
    left = {rule.id: rule for rule in every.rules if rule.id not in ("aws-access-key-id", "generic-password")}
    left["acme-badge"] = left["generic-auth"]._replace(id="acme-badge", anchors=("badge-[0-9]{4}",))
    left["github-app-user-token"] = left["github-app-user-token"]._replace(anchors=("ghx_[A-Za-z0-9]{8}",))
    chosen = ruleset_of(left.values())
    text = b"\n".join([*PIECES, b"badge-1234 ghx_abcdEFGH"])
    HyperscanEngine(every)
    compiled: list[int] = []
    plain = HyperscanEngine._compile

    def compile(rules: RuleSet, triggers: bool) -> object:
        compiled.append(len(rules.rules))
        return plain(rules, triggers)

    monkeypatch.setattr(HyperscanEngine, "_compile", staticmethod(compile))
    anchors = HyperscanEngine(chosen).anchors(text)
    assert compiled in ([2], [])  # none where this test ran before
    assert set(anchors) == set(HyperscanEngine(chosen, keep=False).anchors(text))
    assert [end for _, end in anchors] == sorted(end for _, end in anchors)
    assert {chosen.rules[met].id for met, _ in anchors if met < len(chosen.rules)} >= {"acme-badge", "github-app-user-token"}
    few = ruleset_of(every.rules[:9])
    assert set(HyperscanEngine(few).anchors(text)) == set(HyperscanEngine(few, keep=False).anchors(text))
    assert compiled[-1] == 9  # with all rules the engine is slower than with these
