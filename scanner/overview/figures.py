"""What the charts of a report show, as numbers and as points; how they look is the template's business."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from scanner.model import LEVELS
from scanner.overview import Overview, since
from scanner.store.results import Known, when

BARS = 12
"""Bars of a chart before the rest is summed up."""
STEPS = 72
SPANS = 20
ENDED = ("revoked", "false-positive")
"""The states in which a credential exposes nothing (any more)."""


class Bar(NamedTuple):
    """`share` is the part of the largest bar, from 0 to 1; `key` is what a filter calls it, empty for a sum."""

    label: str
    number: int
    share: float
    key: str


class Layer(NamedTuple):
    """A severity's part of the area chart: `points` of an SVG polygon."""

    severity: str
    points: str


class Tick(NamedTuple):
    at: float
    label: str


class Exposure(NamedTuple):
    """How many credentials were in the open at each time, in a picture of WIDTH by HEIGHT."""

    layers: tuple[Layer, ...]
    years: tuple[Tick, ...]
    levels: tuple[Tick, ...]
    rows: tuple[tuple[str, int], ...]
    undated: int


class Span(NamedTuple):
    """One credential on the time line: from `start` over `width`, of 0 to 1, until now."""

    known: Known
    start: float
    width: float
    began: str


WIDTH, HEIGHT = 720, 200


def by_severity(overview: Overview) -> list[Bar]:
    counts = Counter(one.severity for one in overview.findings)
    return _bars([(level, counts[level], level) for level in reversed(LEVELS)])


def by_rule(overview: Overview) -> list[Bar]:
    counts = Counter(one.rule for one in overview.findings)
    return _bars(_most((overview.rule(id).name, number, id) for id, number in counts.items()))


def by_repository(overview: Overview) -> list[Bar]:
    counts = Counter(place.repository for one in overview.findings for place in one.occurrences)
    return _bars(_most((name, number, name) for name, number in counts.items()))


def by_year(overview: Overview) -> list[Bar]:
    """Return a bar for each year from the first to the last; a gap of many years, which is a wrong clock, is left out."""
    counts = Counter(began.year for one in overview.findings if (began := since(one)))
    years = sorted(counts)
    if years and years[-1] - years[0] < 40:
        years = list(range(years[0], years[-1] + 1))
    bars = [(str(year), counts[year], str(year)) for year in years]
    unknown = len(overview.findings) - sum(counts.values())
    return _bars([*bars, ("no commit", unknown, "")] if unknown else bars)


def shared(overview: Overview) -> list[Known]:
    """Return the findings in more than one repository, those in most of them first."""
    several = [one for one in overview.findings if len(one.occurrences) > 1]
    return sorted(several, key=lambda one: (-len(one.occurrences), -LEVELS.index(one.severity), one.fingerprint))


def exposure(overview: Overview, now: datetime) -> Exposure | None:
    """Return how many credentials were in the open over the years, or None when no commit tells."""
    spans = [(one.severity, *span) for one in overview.findings if (span := _span(one, now))]
    if not spans:
        return None
    first = min(began for _, began, _ in spans)
    times = [first + (now - first) * step / STEPS for step in range(STEPS + 1)]
    base, layers = [0] * len(times), []
    for level in LEVELS:
        starts = sorted(began for severity, began, _ in spans if severity == level)
        ends = sorted(ended for severity, _, ended in spans if severity == level and ended)
        top = [low + bisect_right(starts, at) - bisect_right(ends, at) for low, at in zip(base, times, strict=True)]
        if starts:
            layers.append((level, base, top))
        base = top
    highest = max(1, *base)
    drawn = tuple(Layer(level, _polygon(low, high, highest)) for level, low, high in layers)
    rows = tuple((at.date().isoformat(), count) for at, count in list(zip(times, base, strict=True))[:: STEPS // 12])
    levels = (Tick(HEIGHT, "0"), Tick(0, f"{highest:,}"))
    return Exposure(drawn, tuple(_years(first, now)), levels, rows, len(overview.findings) - len(spans))


def longest(overview: Overview, now: datetime) -> list[Span]:
    """Return the credentials that are in the open for longest."""
    found = [(span[0], one) for one in overview.findings if one.state not in ENDED and (span := _span(one, now))]
    found.sort(key=lambda pair: (pair[0], -LEVELS.index(pair[1].severity), pair[1].fingerprint))
    if not found:
        return []
    first = found[0][0]
    whole = max((now - first).total_seconds(), 1.0)
    return [
        Span(one, (began - first).total_seconds() / whole, (now - began).total_seconds() / whole, began.date().isoformat())
        for began, one in found[:SPANS]
    ]


def _span(known: Known, now: datetime) -> tuple[datetime, datetime | None] | None:
    """Return from when until when a credential was in the open; None for the end where it is still."""
    began = since(known)
    if began is None or known.state == "false-positive":
        return None
    ended = when(known.decisions[-1].at) if known.state in ENDED else None
    return min(began, now), ended


def _polygon(low: Sequence[int], high: Sequence[int], highest: int) -> str:
    step = WIDTH / (len(low) - 1)
    upper = [(number * step, HEIGHT * (1 - value / highest)) for number, value in enumerate(high)]
    lower = [(number * step, HEIGHT * (1 - value / highest)) for number, value in enumerate(low)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in upper + lower[::-1])


def _years(first: datetime, now: datetime) -> Iterable[Tick]:
    every = max(1, (now.year - first.year) // 10)
    whole = max((now - first).total_seconds(), 1.0)
    for year in range(first.year + 1, now.year + 1):
        if (now.year - year) % every == 0:
            at = (datetime(year, 1, 1, tzinfo=UTC) - first).total_seconds() / whole
            yield Tick(WIDTH * at, str(year))


def _most(counted: Iterable[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    ordered = sorted(counted, key=lambda one: (-one[1], one[0]))
    if len(ordered) <= BARS:
        return ordered
    rest = ordered[BARS - 1 :]
    return [*ordered[: BARS - 1], (f"{len(rest)} others", sum(count for _, count, _ in rest), "")]


def _bars(counted: Sequence[tuple[str, int, str]]) -> list[Bar]:
    largest = max([1, *(count for _, count, _ in counted)])
    return [Bar(label, count, count / largest, key) for label, count, key in counted]
