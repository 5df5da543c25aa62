"""Tokens with something in them that can be read: a checksum, or fields in base64.

Each check takes a token and returns why it is none, or None for one that passes. A token
that its check refuses is dropped, so a check stands here only where the provider documents
the form, or publishes the code that makes it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence

from scanner.confirm.pattern import LOW_ENTROPY, search
from scanner.confirm.text import entropy
from scanner.model import Match, Rule
from scanner.trace import dropped

_JSON = re.compile(rb"eyJ[A-Za-z0-9+/]+")
_INTERCOM = re.compile(rb"tok:[0-9a-f]{8}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12}:[0-9]+:[0-9]+\Z")


def grafana_checksum(head: bytes) -> bytes:
    """Return the eight hexadecimal digits that end a Grafana service account token: CRC-32, lowest byte first.

    It covers the prefix and the 32 characters behind it.
    Source: https://github.com/grafana/grafana/blob/main/pkg/components/satokengen/tokengen.go.

    >>> grafana_checksum(b"glsa_" + b"0" * 32)
    b'162149fe'
    """
    return zlib.crc32(head).to_bytes(4, "little").hex().encode()


def grafana(token: bytes) -> str | None:
    """The last part is the checksum of the others."""
    head, _, checksum = token.rpartition(b"_")
    return None if grafana_checksum(head) == checksum else "its checksum (CRC-32) is wrong"


def json_inside(token: bytes) -> str | None:
    """A part of the token is a JSON object in base64, and the object is whole.

    So it is documented for Sentry (https://docs.sentry.io/security-legal-pii/security/token-formats/) and Mapbox
    (https://docs.mapbox.com/api/accounts/tokens/#token-format), and so the code of Grafana makes and reads its own
    (https://github.com/grafana/grafana/blob/main/pkg/components/apikeygen/apikeygen.go).

    >>> json_inside(b"sk." + base64.b64encode(b'{"u":"a"}') + b".x"), json_inside(b"sk.eyJ1xx.x")
    (None, 'it does not decode to fields')
    """
    found = _JSON.search(token)
    try:
        fields = json.loads(_decoded(found.group())) if found else None
    except (binascii.Error, ValueError, RecursionError):
        fields = None
    return None if isinstance(fields, dict) and fields else "it does not decode to fields"


def intercom(token: bytes) -> str | None:
    """The token is base64 of `tok:`, an id and two numbers.

    Source: the example in https://developers.intercom.com/docs/build-an-integration/learn-more/authentication.
    """
    try:
        text = _decoded(token)
    except binascii.Error:
        text = b""
    return None if _INTERCOM.match(text) else "it does not decode to tok: and an id"


def _decoded(text: bytes) -> bytes:
    plain = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)


CHECKS: dict[str, tuple[Callable[[bytes], str | None], str]] = {
    "grafana-token": (grafana, "its checksum is right"),
    "json-token": (json_inside, "its fields can be read"),
    "intercom-token": (intercom, "decodes to an id"),
}
"""By the name that a rule's `confirm` gives: the check, and the evidence of what passes it."""


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield each match of the rule's pattern that its check does not refuse."""
    refusal, evidence = CHECKS[rule.confirm]
    for match in search(rule.pattern, data, ends, rule.reach):
        secret = match.group("secret")
        reason = LOW_ENTROPY if entropy(secret) < rule.entropy else refusal(secret)
        if reason:
            dropped(rule, *match.span("secret"), reason)
        else:
            yield Match(rule, *match.span("secret"), secret, (evidence,), rule.confidence, rule.severity)
