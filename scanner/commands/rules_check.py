"""What a team's own rules bring and cost beside the built-in ones: overlap, and the engine's time.

Neither is an error: two rules may well report one credential, and a slow rule may be worth
its time. So both are said and the exit code stays.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

from scanner.engine import Engine, HyperscanEngine, open_engine
from scanner.examples import placed
from scanner.filters import fits
from scanner.model import Blob, Match, Origin, Rule, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.rules import ruleset_of

_SIZE = 1_000_000
"""Bytes of the text on which the engine's time is taken: some milliseconds a run."""

_RUNS = 7
_COSTLY = 1.1
_WORDS = ("def", "return", "self.", "const", "import", "None", "null", "value", "name", "type", "id", "key", "path", "error",
          "data", "config", "token", "user", "url", "#", "//", "if", "for", "in", "0", "1", "x", "i")  # fmt: skip
_MARKS = (" = ", ": ", '"', "('", "')", " == ", "{", "}", "/", ", ", "; ", "\n", "\n    ", "\n", " ")


def overlaps(own: RuleSet, builtin: RuleSet) -> Iterator[str]:
    """Yield a line for each example in which a built-in rule reports what the own rule does.

    An own rule replaces the built-in one that has its id, as it does in a configuration.
    """
    merged = ruleset_of((*own.rules, *_others(own, builtin)))
    engine = open_engine(merged)
    for rule in own.rules:
        for number, template in enumerate(rule.examples, 1):
            path, text = placed(template)
            results = matches(Blob(text.encode(), Origin("example")), engine, merged)
            found = [one for one in results if not isinstance(one, Skipped)]
            for other in _beside(rule, [match for match, chunk in found if fits(match.rule, path, chunk.way)]):
                yield (f"{rule.file}: rule '{rule.id}': example {number} is also found by the built-in rule '{other.id}' "
                       f"(confidence {other.confidence})")  # fmt: skip


def _others(own: RuleSet, builtin: RuleSet) -> list[Rule]:
    ids = {rule.id for rule in own.rules}
    return [rule for rule in builtin.rules if rule.id not in ids]


def _beside(rule: Rule, found: Sequence[Match]) -> list[Rule]:
    """Return the other rules that have a match where the rule has one, each once."""
    mine = [match for match in found if match.rule.id == rule.id]
    return list({
        match.rule.id: match.rule
        for match in found
        if match.rule.file != rule.file and any(match.start < one.end and one.start < match.end for one in mine)
    }.values())  # fmt: skip


def costs(own: RuleSet, builtin: RuleSet) -> Iterator[str]:
    """Yield the engine's speed with each rule alone, and its time for the built-in rules with and without the own ones.

    Processor time, the best of several runs on generated text, taken in turn because the speed of a machine drifts.
    """
    text = generated_text(builtin)
    others = ruleset_of(_others(own, builtin))
    with_own = ruleset_of((*own.rules, *others.rules))
    without, together = fastest([HyperscanEngine(rules, keep=False) for rules in (others, with_own)], text)
    for rule in own.rules:
        alone = HyperscanEngine(ruleset_of([rule]), keep=False, triggers=False)
        (seconds,) = fastest([alone], text)
        anchors = len(alone.anchors(text)) * 1e6 / len(text)
        yield (f"{rule.file}: rule '{rule.id}': {_speed(text, seconds)} with this rule alone "
               f"(all built-in rules: {_speed(text, without)}), {anchors:,.0f} anchors a MB")  # fmt: skip
    ratio = together / without
    yield f"With these rules the engine takes {ratio:.2f} times as long as without them."
    if ratio > _COSTLY:
        yield "That is much: begin each pattern with a rare literal, or give the rule 'anchors' that do (rules/README.md)."


def _speed(text: bytes, seconds: float) -> str:
    return f"{len(text) / seconds / 1e6:,.0f} MB/s"


def fastest(engines: Sequence[Engine], text: bytes, runs: int = _RUNS) -> list[float]:
    """Return the least processor seconds that each engine takes for the text, all of them run in turn."""
    best = [float("inf")] * len(engines)
    for _ in range(runs):
        for place, engine in enumerate(engines):
            start = time.process_time()
            engine.anchors(text)
            best[place] = min(best[place], time.process_time() - start)
    return best


def generated_text(rules: RuleSet, size: int = _SIZE) -> bytes:
    """Return text like that of code and documents: the words in which the rules say why, names, punctuation, digests."""
    source = random.Random(1)
    words = [word for rule in rules.rules for word in rule.why.split()]
    words += _WORDS * (len(words) // len(_WORDS))
    words += ["".join(source.choices("0123456789abcdef", k=40)) for _ in range(len(words) // 100)]
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(source.choice(words) + source.choice(_MARKS))
        length += len(parts[-1])
    return "".join(parts).encode()[:size]
