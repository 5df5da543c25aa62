"""The report for the web: one file with all it needs, which asks no network for anything.

What came from repositories reaches the page in two ways: through Jinja2, which escapes it,
and as JSON in a data block, which the page's script shows as text and never as markup. The
content security policy names our style and our script by their digests and forbids the rest.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, TextIO

from jinja2 import Environment, StrictUndefined

from scanner import __version__
from scanner.model import LEVELS, Location, Rule
from scanner.overview import Overview, figures, since, urgent_first
from scanner.sinks.escape import visible
from scanner.sinks.words import count, place
from scanner.store.results import Known
from scanner.store.triage import STATES

PLACES = 50
"""Places of a finding in a repository before the rest is counted: a file can have thousands of versions."""
SHARED = 100
SKIPPED = 500
_WIDTH = 400
"""Characters of a text: a path can have thousands."""


def write(overview: Overview, out: TextIO) -> None:
    out.write(page(overview))


def page(overview: Overview, now: datetime | None = None) -> str:
    """Return the whole page."""
    now = now or datetime.now(UTC)
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(visible=_short, count=count, place=place)
    return environment.from_string(_asset("report.html.jinja")).render(
        overview=overview, policy=policy, style=style, script=script, version=__version__, now=now, figures=figures,
        severity=figures.by_severity(overview), rules=figures.by_rule(overview), years=figures.by_year(overview),
        repositories=figures.by_repository(overview), exposure=figures.exposure(overview, now),
        spans=figures.longest(overview, now), shared=figures.shared(overview), most_shared=SHARED, most_skipped=SKIPPED,
        live=sum(one.state not in figures.ENDED for one in overview.findings), states=STATES, levels=LEVELS[::-1],
        data=_data(overview),
    )  # fmt: skip


def _data(overview: Overview) -> str:
    """Return what the table shows as JSON that cannot end its data block."""
    findings = urgent_first(overview.findings)
    used = {one.rule: number for number, one in enumerate({one.rule: one for one in findings}.values())}
    names = sorted({place.repository for one in findings for place in one.occurrences})
    numbers = {name: number for number, name in enumerate(names)}
    document = {
        "rules": [_rule(overview.rule(id)) for id in used],
        "repositories": [_short(name) for name in names],
        "findings": [_finding(one, used[one.rule], numbers) for one in findings],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rule(rule: Rule) -> list[Any]:
    links = [link for link in rule.references if link.startswith(("https://", "http://"))]
    return [visible(rule.id), visible(rule.name), visible(rule.why), visible(rule.fix), links]


def _finding(known: Known, rule: int, numbers: dict[str, int]) -> list[Any]:
    """Return a row in the order in which the script reads it."""
    began = since(known)
    return [
        visible(known.fingerprint), rule, LEVELS.index(known.severity), known.confidence, known.state, _short(known.redacted),
        [_short(said) for said in known.evidence], began.date().isoformat() if began else "", known.found[:10],
        [
            [numbers[here.repository], [_place(where) for where in here.locations[:PLACES]], len(here.locations)]
            for here in known.occurrences
        ],
        [[one.state, _short(one.reason), _short(one.who), one.at] for one in known.decisions],
    ]  # fmt: skip


def _place(where: Location) -> list[Any]:
    origin = where.origin
    return [
        _short(place(where)), origin.via, visible(origin.commit or ""), _short(origin.author or ""), _short(origin.date or ""),
        [_short(branch) for branch in origin.present[:5]], visible(origin.removed or ""), visible(where.blob or ""),
    ]  # fmt: skip


def _short(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"


def _asset(name: str) -> str:
    return (files("scanner") / "data" / "report" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
