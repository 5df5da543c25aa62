"""Joining findings that are two halves of one credential.

An access key id and its secret are often apart: in two files of one commit, or in two
versions of one file. Each alone is a weak finding; together they are a key that works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scanner.confirm.aws import LONE
from scanner.model import Finding, Location

Key = tuple[str, str]
Places = tuple[Location, Location]
ID, SECRET = "aws-access-key-id", "aws-secret-access-key"


def join(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, with a lone id and a lone secret that share a file or a commit named to each other.

    Where several would do for one of them, none is named: a wrong pair is worse than none.
    """
    ids = [finding for finding in findings if finding.rule.id == ID and LONE in finding.evidence]
    secrets = [finding for finding in findings if finding.rule.id == SECRET and finding.confidence != "high"]
    pairs = [pair for one in ids for pair in _partners(one, secrets_at)] if (secrets_at := _by_key(secrets)) else []
    often = Counter(finding.fingerprint for one, other, _ in pairs for finding in (one, other))
    joined: dict[str, Finding] = {}
    for one, other, (place, here) in pairs:
        if often[one.fingerprint] == often[other.fingerprint] == 1:
            evidence = tuple(f"its secret is in {_named(place)}" if said == LONE else said for said in one.evidence)
            joined[one.fingerprint] = one._replace(evidence=evidence, severity="high")
            said = f"the access key id {one.redacted} is in {_named(here)}"
            joined[other.fingerprint] = other._replace(evidence=(*other.evidence, said), severity="critical", confidence="high")
    return [joined.get(finding.fingerprint, finding) for finding in findings]


def _by_key(secrets: Sequence[Finding]) -> dict[Key, list[tuple[Finding, Location]]]:
    """Return by file and by commit which findings have a place there."""
    places: dict[Key, list[tuple[Finding, Location]]] = {}
    for secret in secrets:
        for where in secret.locations:
            for key in _keys(where):
                places.setdefault(key, []).append((secret, where))
    return places


def _partners(one: Finding, secrets_at: dict[Key, list[tuple[Finding, Location]]]) -> list[tuple[Finding, Finding, Places]]:
    """Return the id with each secret that shares a file or a commit with it, and a place of each."""
    found: dict[str, tuple[Finding, Finding, Places]] = {}
    for here in one.locations:
        for key in _keys(here):
            for other, place in secrets_at.get(key, ()):
                found.setdefault(other.fingerprint, (one, other, (place, here)))
    return list(found.values())


def _keys(where: Location) -> list[Key]:
    origin = where.origin
    return [(name, value) for name, value in (("path", origin.path), ("commit", origin.commit)) if value]


def _named(where: Location) -> str:
    return f"{where.origin.path or where.origin.via}, line {where.line}"
