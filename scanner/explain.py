"""What became of every anchor: the listener behind `keyleash scan --explain`.

It hears the very stages of a scan (`scanner.trace`), so that an explanation cannot differ
from what the scan does. An anchor near which nothing was believed and nothing dropped
has a verdict of its own: what stands there has not the form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from scanner.confirm.pattern import compiled
from scanner.filters import fits
from scanner.group import location, redact
from scanner.model import Blob, Chunk, Location, Match, Rule

FOUND, DROPPED, NOTHING = "found", "dropped", "nothing"

_BLOCK = 3100
"""How far from its anchor a confirmation without a pattern may find a credential: the widest, `scanner.confirm.aws`."""

_LISTED = 100
"""Anchors of one rule in one chunk that are listed where nothing came of them; of the others the number is told."""

_KEPT = 1000
"""Outcomes of one rule in one chunk that are kept; of the others the number is told."""

_SECONDS = 0.5


class Verdict(NamedTuple):
    """What became of a place: `outcome` is one of the three above. Holds no secret."""

    where: Location
    rule: Rule
    redacted: str
    outcome: str
    reason: str


class _Outcome(NamedTuple):
    """A place where something was believed or dropped, as the match that it is or would be."""

    match: Match
    outcome: str
    reason: str


class _Looked:
    """One rule in one chunk: where its anchors end, and what came of them so far, each once."""

    def __init__(self, rule: Rule, ends: Sequence[int]) -> None:
        self.rule = rule
        self.ends = ends
        self.outcomes: dict[tuple[int, int, str], _Outcome] = {}
        self.more = 0

    def add(self, match: Match, outcome: str, reason: str) -> None:
        place = match.start, match.end, reason
        if len(self.outcomes) >= _KEPT and outcome != FOUND and place not in self.outcomes:
            self.more += 1
        else:
            self.outcomes[place] = _Outcome(match, outcome, reason)


class Explanation:
    """Gathers what is said of a chunk, and tells it, verdict by verdict, as soon as the next one is looked at."""

    def __init__(self, tell: Callable[[Verdict], None]) -> None:
        self._tell = tell
        self._blob: Blob | None = None
        self._chunk: Chunk | None = None
        self._rules: dict[str, _Looked] = {}
        self.anchors = 0

    def looked(self, blob: Blob, chunk: Chunk, rule: Rule, ends: Sequence[int]) -> None:
        if chunk is not self._chunk:
            self.finish()
            self._blob, self._chunk = blob, chunk
        self._rules[rule.id] = _Looked(rule, ends)
        self.anchors += len(ends)

    def dropped(self, rule: Rule, start: int, end: int, reason: str, redacted: str | None) -> None:
        if self._chunk:
            text = self._chunk.data[start:end]
            match = Match(rule, start, end, text, (), rule.confidence, rule.severity, redacted)
            self._rules[rule.id].add(match, DROPPED, reason)

    def believed(self, match: Match) -> None:
        said = f"confidence {match.confidence}, severity {match.severity}: {', '.join(match.evidence)}"
        self._rules[match.rule.id].add(match, FOUND, said)

    def finish(self) -> None:
        """Tell what is known of the last chunk."""
        rules, self._rules = self._rules, {}
        if self._blob is None or self._chunk is None:
            return
        outcomes = [one for looked in rules.values() for one in (*looked.outcomes.values(), *_silent(looked, self._chunk.data))]
        for match, outcome, reason in sorted(outcomes, key=lambda one: (one.match.start, one.match.rule.id)):
            where = location(match, self._chunk, self._blob)
            if outcome == FOUND and not fits(match.rule, where.origin.path, where.way):
                outcome, reason = DROPPED, f"counts only in files called {', '.join(match.rule.paths)}"
            self._tell(Verdict(where, match.rule, "" if outcome == NOTHING else redact(match), outcome, reason))


def _silent(looked: _Looked, data: bytes) -> Iterator[_Outcome]:
    """Yield an outcome for each place at which anchors begin and nothing came of them, and for what is not listed."""
    rule = looked.rule
    left = [] if looked.more else _left(rule, looked.ends, [outcome.match for outcome in looked.outcomes.values()])
    starts = {_start(rule, data, end): end for end in left[:_LISTED]}
    reason = "its pattern does not match at this anchor" if rule.reach else "nothing of its form is beside this anchor"
    for start, end in starts.items():
        yield _Outcome(_none(rule, start, end), NOTHING, reason)
    if left[_LISTED:]:
        yield _Outcome(_none(rule, left[_LISTED], left[-1]), NOTHING, f"nothing came of {len(left) - _LISTED} more anchors")
    if looked.more:
        yield _Outcome(_none(rule, looked.ends[-1], looked.ends[-1]), NOTHING, f"{looked.more} more places were dropped")


def _none(rule: Rule, start: int, end: int) -> Match:
    return Match(rule, start, end, b"", (), rule.confidence, rule.severity)


def _left(rule: Rule, ends: Sequence[int], places: Sequence[Match]) -> list[int]:
    """Return the anchors that are not near a place that was believed or dropped, which then is what they were about."""
    reach = max(rule.width, rule.reach) if rule.reach else _BLOCK + rule.width
    spans = sorted((match.start - reach, match.end + reach) for match in places)
    left, place, near = [], 0, -1
    for end in ends:
        while place < len(spans) and spans[place][0] <= end:
            near = max(near, spans[place][1])
            place += 1
        if end > near:
            left.append(end)
    return left


def _start(rule: Rule, data: bytes, end: int) -> int:
    """Return where the anchor begins that ends at an offset: the engine does not say."""
    low, high = max(0, end - rule.width), min(len(data), end + rule.width)
    try:
        for anchor in rule.anchors:
            for found in compiled(anchor).finditer(data, low, high, overlapped=True, timeout=_SECONDS):
                if found.start() < end <= found.end():
                    return int(found.start())
    except TimeoutError:
        pass
    return end
