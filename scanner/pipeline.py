"""scan(): sources in, a report out. The core knows no command line, file format or terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

from scanner import trace
from scanner.confirm import confirmation
from scanner.decode import chunks, holds_members, needs_whole
from scanner.engine import Anchors, Engine, open_engine
from scanner.filters import reason_to_drop
from scanner.group import DEFAULT_KEY, Groups, Recalled, location, ordered
from scanner.model import (
    LEVELS,
    REFUSED,
    Blob,
    Chunk,
    Coverage,
    Finding,
    Location,
    Match,
    Origin,
    Report,
    RuleSet,
    Skipped,
    Source,
)
from scanner.rules import load_builtin

_KNOWN = "is the business of the text around, where the rule has looked already"
_MATCHES = 2000
"""How many matches of one rule are taken of one chunk."""

_STEP = 512
"""Places of matches are remembered by steps of so many bytes."""


def scan(
    sources: Iterable[Source],
    rules: RuleSet | None = None,
    *,
    engine: Engine | None = None,
    key: bytes = DEFAULT_KEY,
    show_secrets: bool = False,
    excluded: Callable[[str], bool] | None = None,
    advance: Callable[[Coverage], None] | None = None,
) -> Report:
    """Scan every source and return what was found, what was skipped and what was covered.

    `rules` are the built-in ones by default; `key` keys the fingerprints; only with
    `show_secrets` do findings carry their secret. Places whose path `excluded` accepts are
    left out and counted in a note. `advance` is called with the coverage so far. An input that cannot be read is a
    `Skipped` in the report. Raises `ScanError` when the scan cannot go on at all.
    """
    rules = rules or load_builtin()
    engine = engine or open_engine(rules)
    groups = Groups(key, show_secrets)
    skipped: dict[Skipped, None] = {}
    coverage = Coverage()
    places: dict[str, Origin] = {}
    sources = list(sources)
    for source in sources:
        found: list[Found] = []
        for item in source.items():
            if isinstance(item, Found):
                groups.put(item.match, item.location)
            elif isinstance(item, Recalled):
                groups.recall(item)
            elif isinstance(item, Blob):
                for match, chunk in _news(item, engine, rules, skipped):
                    found.append(Found(match, location(match, chunk, item)))
            elif isinstance(item, Skipped):
                skipped[item] = None
            else:
                coverage = coverage.plus(item)
                if advance:
                    advance(coverage)
        for one in _unknown(found, source, engine, rules, excluded):
            groups.put(one.match, one.location)
        unknown = (groups.blobs() | {one.blob for one in skipped if one.blob}) - places.keys()
        if unknown:
            places.update(source.attribute(unknown))
    findings, left_out = groups.findings(places, excluded)
    if left_out:
        coverage = coverage.plus(Coverage(notes=(f"{left_out} places of credentials are left out by the configuration",)))
    coverage = coverage._replace(packed=0, expected=0)  # what was still to be read is nobody's business any more
    return Report(_finished(findings, sources), _named(skipped, places, excluded), coverage, rules, engine.name)


def _finished(findings: list[Finding], sources: Sequence[Source]) -> tuple[Finding, ...]:
    if not findings:
        return ()
    from scanner.owners import name_owners
    from scanner.pairs import join  # they know what confirmations know, which a clean scan never loads

    return ordered(name_owners(join(findings), sources))


class Found(NamedTuple):
    """A match with its place: what a process that looked and confirmed by itself hands back."""

    match: Match
    location: Location


class Sight(NamedTuple):
    """The stages behind a source, for a source that looks for itself (`sources.packscan.Look`)."""

    rules: RuleSet
    engine: Engine
    margin: int
    edges: bool

    def anchors(self, data: bytes) -> Anchors:
        return self.engine.anchors(data)

    def needs_whole(self, head: bytes) -> bool:
        return needs_whole(head)

    def judge(self, blob: Blob, anchors: Anchors | None = None) -> list[Found | Skipped]:
        return [
            result if isinstance(result, Skipped) else Found(result[0], location(*result, blob))
            for result in matches(blob, self.engine, self.rules, anchors)
        ]


def sight(rules: RuleSet, engine: str | None = None) -> Callable[[], Sight]:
    """Return what makes, in each process, what a source needs to look for itself; it can be pickled.

    How wide an anchor is, and whether one minds a text's edges, is found out here, once.
    """
    from scanner.decode.triggers import MARGIN
    from scanner.edges import any_bound

    margin = max(MARGIN, *(rule.width for rule in rules.rules))
    return partial(_open_sight, rules, margin, any_bound(rules), engine)


def judge(rules: RuleSet, engine: str | None = None) -> Callable[[], Sight]:
    """Return the same for a source that hands over whole blobs, and needs to know nothing of windows."""
    return partial(_open_sight, rules, 0, False, engine)


def _open_sight(rules: RuleSet, margin: int, edges: bool, engine: str | None) -> Sight:
    return Sight(rules, open_engine(rules, engine), margin, edges)


def matches(
    blob: Blob, engine: Engine, rules: RuleSet, anchors: Anchors | None = None
) -> Iterator[tuple[Match, Chunk] | Skipped]:
    """Yield each match of a blob with the chunk it stands in, and what a limit kept from being scanned.

    An archive's own bytes hold the members that it stores as they are; what is met there once more in a member
    is the member's. `anchors` are those of the blob's text, where they are known already.
    """
    raw: list[tuple[Match, Chunk]] = []
    inside: set[tuple[str, bytes, tuple[str, ...]]] = set()
    last: tuple[Chunk | None, bool] = None, False
    for result in _matches(blob, engine, rules, anchors):
        if isinstance(result, Skipped):
            yield result
            continue
        match, chunk = result
        if chunk is not last[0]:
            last = chunk, holds_members(chunk.data)
        if last[1]:
            raw.append(result)
        else:
            yield result
        if raw:
            inside.update((match.rule.id, match.secret, chunk.way[:depth]) for depth in range(len(chunk.way)))
    for match, chunk in raw:
        if (match.rule.id, match.secret, chunk.way) not in inside:
            yield match, chunk


def _matches(blob: Blob, engine: Engine, rules: RuleSet, anchors: Anchors | None) -> Iterator[tuple[Match, Chunk] | Skipped]:
    seen = _Seen()
    for found in chunks(blob.data, _name(blob), engine.anchors, rules.policy.limits, anchors):
        if isinstance(found, Skipped):
            yield found._replace(blob=_unplaced(blob))
            continue
        chunk, met = found
        if not met:
            continue
        met.sort()
        believed: list[Match] = []
        cut = False
        for index, ends in groupby(met, key=itemgetter(0)):
            rule, places = rules.rules[index], _distinct(ends)
            trace.looked(blob, chunk, rule, places)
            before = len(believed)
            try:
                believed += islice(confirmation(rule.confirm)(rule, chunk.data, places), _MATCHES)
            except TimeoutError:
                trace.dropped(rule, places[0], places[-1], "took too long, and so is skipped")
                yield Skipped(_name(blob), f"rule '{rule.id}' took too long on this text", _unplaced(blob))
                cut = True
            if len(believed) - before == _MATCHES:
                yield Skipped(
                    _name(blob), f"rule '{rule.id}' matches {_MATCHES:,} times; what follows is not listed", _unplaced(blob)
                )
        if not believed and not cut:
            met.clear()
        for match in _specific_first(believed):
            if match.confidence == REFUSED:
                continue
            try:
                reason = reason_to_drop(match, chunk, rules.policy)
            except TimeoutError:
                trace.dropped(match.rule, match.start, match.end, "took too long, and so is skipped", match.redacted)
                yield Skipped(_name(blob), f"rule '{match.rule.id}' took too long on this text", _unplaced(blob))
                continue
            if reason is None and seen.is_news(match, chunk):
                trace.believed(match)
                yield match, chunk
            else:
                trace.dropped(match.rule, match.start, match.end, reason or _KNOWN, match.redacted)


def _specific_first(matches: list[Match]) -> Iterator[Match]:
    """Yield matches without those of generic rules that overlap what another rule believes, or a generic one of more score.

    A filter that drops the specific match, because it is documented or allowed, so drops the generic one too.
    """
    generic = [match for match in matches if match.rule.generic]
    taken: dict[int, list[tuple[int, int]]] = {}
    for match in matches:
        if not match.rule.generic:
            _take(taken, match)
            yield match
    for match in sorted(generic, key=_sureness):
        near = (span for step in _steps(match.start, match.end) for span in taken.get(step, ()))
        if any(match.start < end and start < match.end for start, end in near):
            trace.dropped(match.rule, match.start, match.end, "is what a surer rule looked at here", match.redacted)
        else:
            _take(taken, match)
            yield match


def _take(taken: dict[int, list[tuple[int, int]]], match: Match) -> None:
    for step in _steps(match.start, match.end):
        taken.setdefault(step, []).append((match.start, match.end))


def _steps(start: int, end: int) -> range:
    return range(start // _STEP, end // _STEP + 1)


def _sureness(match: Match) -> tuple[int, bool, bool]:
    """Return how generic matches are sorted: refused first, then the surest; of these what was read, then the more specific."""
    level = -len(LEVELS) if match.confidence == REFUSED else -LEVELS.index(match.confidence)
    return level, match.rule.confirm == "generic", match.rule.id.startswith("generic")


def _news(blob: Blob, engine: Engine, rules: RuleSet, skipped: dict[Skipped, None]) -> Iterator[tuple[Match, Chunk]]:
    """Yield the matches that none of the replaced versions already has."""
    found = []
    for result in matches(blob, engine, rules):
        if isinstance(result, Skipped):
            skipped[result] = None
        else:
            found.append(result)
    if not found:
        return
    known: set[tuple[str, bytes]] = set()
    for data in blob.before() if blob.before else ():
        for result in matches(Blob(data, blob.origin), engine, rules):
            if not isinstance(result, Skipped):
                known.add((result[0].rule.id, result[0].secret))
    for match, chunk in found:
        if (match.rule.id, match.secret) not in known:
            yield match, chunk


def _unknown(
    found: Sequence[Found], source: Source, engine: Engine, rules: RuleSet, excluded: Callable[[str], bool] | None
) -> Sequence[Found]:
    """Return what was found less the credentials that stand in what the source calls older."""
    older: Callable[[], Iterator[Blob]] | None = getattr(source, "older", None)
    news = {(one.match.rule.id, one.match.secret) for one in found}
    if not news or older is None:
        return found
    for blob in older():
        if blob.origin.path is not None and excluded and excluded(blob.origin.path):
            continue  # nobody looked there
        for result in matches(blob, engine, rules):
            if not isinstance(result, Skipped):
                news.discard((result[0].rule.id, result[0].secret))
        if not news:
            break
    return [one for one in found if (one.match.rule.id, one.match.secret) in news]


class _Seen:
    """The matches of one blob so far, by place in its text or in an archive's member, to tell what decoding brought from
    what stood there already."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...], int], dict[tuple[int, int], tuple[int, int]]] = {}

    def is_news(self, match: Match, chunk: Chunk) -> bool:
        """Whether no chunk around this one has the rule's match there, or only with less evidence. Remembers the match."""
        place = chunk.inner or int
        start, end = place(match.start), place(match.end)
        weight = LEVELS.index(match.confidence), LEVELS.index(match.severity)
        around = [
            known
            for depth in range(chunk.depth, len(chunk.way))
            for step in _steps(start, end)
            for (first, last), known in self._known.get((match.rule.id, chunk.way[:depth], step), {}).items()
            if first <= end and start <= last
        ]
        for step in _steps(start, end):
            here = self._known.setdefault((match.rule.id, chunk.way, step), {})
            here[start, end] = max(weight, here.get((start, end), weight))
        outside = chunk.decoded and (match.end <= chunk.decoded[0] or match.start >= chunk.decoded[1])
        return all(known < weight for known in around) if around else not outside


def _distinct(ends: Iterable[tuple[int, int]]) -> Sequence[int]:
    return sorted({end for _, end in ends})


def _unplaced(blob: Blob) -> str | None:
    """Return the id of a blob whose path is asked for when the scan is over."""
    return blob.id if blob.origin.path is None and blob.origin.commit is None else None


def _named(
    skipped: Iterable[Skipped], places: Mapping[str, Origin], excluded: Callable[[str], bool] | None
) -> tuple[Skipped, ...]:
    """Return what was skipped under the path it turned out to have, less what the configuration excludes."""
    named: dict[Skipped, None] = {}
    for one in skipped:
        path = places[one.blob].path if one.blob and one.blob in places else None
        if path is None:
            if not excluded or not excluded(one.what.partition(", in ")[0]):
                named[one] = None
        elif not excluded or not excluded(path):
            named[one._replace(what=one.what.replace(f"object {one.blob}", f"{path} ({one.blob})"))] = None
    return tuple(named)


def _name(blob: Blob) -> str:
    return blob.origin.path or f"object {blob.id}"
