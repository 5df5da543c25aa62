"""Joining findings that are two halves of one credential.

An access key id and its secret are often apart: in two files of one commit, or in two
versions of one file. Each alone is a weak finding; together they are a key that works.
"""

from __future__ import annotations

from collections.abc import Sequence

from scanner.confirm.aws import LONE
from scanner.model import Finding, Location

ID, SECRET = "aws-access-key-id", "aws-secret-access-key"


def join(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, with a lone id and a lone secret that share a file or a commit named to each other.

    Where several secrets would do for an id, none is named: a wrong pair is worse than none.
    """
    ids = [finding for finding in findings if finding.rule.id == ID and LONE in finding.evidence]
    secrets = [finding for finding in findings if finding.rule.id == SECRET and finding.confidence != "high"]
    if not ids or not secrets:
        return list(findings)
    joined: dict[str, Finding] = {}
    for one in ids:
        partners = [(other, shared) for other in secrets if (shared := _shared(one, other))]
        if len(partners) == 1 and partners[0][0].fingerprint not in joined:
            other, (place, here) = partners[0]
            evidence = tuple(f"its secret is in {_named(place)}" if said == LONE else said for said in one.evidence)
            joined[one.fingerprint] = one._replace(evidence=evidence, severity="high")
            said = f"the access key id {one.redacted} is in {_named(here)}"
            joined[other.fingerprint] = other._replace(evidence=(*other.evidence, said), severity="critical", confidence="high")
    return [joined.get(finding.fingerprint, finding) for finding in findings]


def _shared(one: Finding, other: Finding) -> tuple[Location, Location] | None:
    """Return a place of each that lie in one file or in one commit, or None."""
    by_place = {key: here for here in one.locations for key in _keys(here)}
    for place in other.locations:
        for key in _keys(place):
            if key in by_place:
                return place, by_place[key]
    return None


def _keys(where: Location) -> list[tuple[str, str]]:
    origin = where.origin
    return [(name, value) for name, value in (("path", origin.path), ("commit", origin.commit)) if value]


def _named(where: Location) -> str:
    return f"{where.origin.path or where.origin.via}, line {where.line}"
