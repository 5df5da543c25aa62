"""Whatever happens to a wrapped key, the confirmations end, in time, with spans that lie in the text."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.examples import expand
from scanner.model import Match
from tests.confirm import keys_made as made
from tests.confirm.test_private_keys import SINGLE

Text = Callable[[], str]
Wrap = Callable[[str], str]
Change = tuple[str, float, int, bytes]

_TEXTS: list[Text] = [text for _, text, _, _ in made.ARMOURED.values()]
_TEXTS += [text for text, _, _ in made.FIELDS.values()]
_TEXTS += [functools.partial(expand, template) for template in SINGLE.values()]
_PIECES = [
    b"\n", b"\\n", b"%0A", b"%2B", b"+", b"&#10;", b"<br>", b'"', b"'", b"=", b"\0", b"\xff", b"{", b"}", b"\x30\x82",
    b"-----BEGIN RSA PRIVATE KEY-----", b"-----END RSA PRIVATE KEY-----", b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    b"</RSAKeyValue>", b"Private-Lines: 1",
]  # fmt: skip
_KINDS = st.sampled_from(["insert", "delete", "repeat", "flip"])
_CHANGE = st.tuples(_KINDS, st.floats(0, 1), st.integers(1, 80), st.sampled_from(_PIECES))


def changed(text: bytes, changes: list[Change]) -> bytes:
    for kind, place, size, piece in changes:
        at = int(place * len(text))
        if kind == "insert":
            text = text[:at] + piece + text[at:]
        elif kind == "delete":
            text = text[:at] + text[at + size :]
        elif kind == "repeat":
            text = text[:at] + text[at : at + size] * 3 + text[at:]
        elif text:
            at = min(at, len(text) - 1)
            text = text[:at] + bytes([text[at] ^ size]) + text[at + 1 :]
    return text


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(_TEXTS), st.sampled_from(list(made.WRAPPINGS.values())), st.sampled_from(list(made.WRAPPINGS.values())),
    st.lists(_CHANGE, min_size=0, max_size=6),
)  # fmt: skip
def test_mutations_of_wrapped_keys(text: Text, first: Wrap, second: Wrap, changes: list[Change]) -> None:
    data = changed(second(first(text())).encode(), changes)
    made.results(b"")  # the first scan of a process makes its engine, which may take seconds
    start = time.process_time()
    found = made.results(data)
    assert time.process_time() - start < 1.0
    assert found == made.results(data, "regex")
    places: dict[str, int] = {}
    for match in found:
        assert isinstance(match, Match)
        assert 0 <= match.start < match.end <= len(data)
        assert match.start >= places.get(match.rule.id, 0)
        assert match.secret
        places[match.rule.id] = match.end


_HEADS = [
    b"\x30\x82\x01\x00\x02\x01\x00\x02\x40\x00",
    b"\x30\x82\x01\x00\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
    b"\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x05\x00\x00\x00\x01",
    b"\x30\x82\x01\x00\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01",
]


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(_HEADS))
def test_binary_behind_a_true_beginning(tail: bytes, head: bytes) -> None:
    assert made.results(head + tail) == made.results(head + tail, "regex")
