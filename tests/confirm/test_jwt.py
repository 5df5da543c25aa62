"""JSON Web Tokens are read: what opens nothing is no finding, of this rule or of a generic one."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from tests.conftest import Find


def token(claims: Any, algorithm: str = "HS256", signature: int = 32) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, bytes(range(40, 40 + signature))))


DAY = 86400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (token({"sub": "team7"}), "does not say that it ends"),
        (token({"iss": "https://id.acme.io", "exp": int(time.time()) + DAY}), "valid until"),
        (token({"exp": 10**30}), "does not say that it ends"),
    ],
)
def test_a_token_that_lets_someone_in_is_found_wherever_it_stands(text: str, said: str, find: Find) -> None:
    for line in (text, f"token = '{text}'", f"Authorization: Bearer {text}", f"<a href='https://acme.io/?jwt={text}'>"):
        (match,) = find(line)
        assert (match.rule.id, match.secret.decode()) == ("json-web-token", text)
        assert any(said in evidence for evidence in match.evidence)


@pytest.mark.parametrize(
    "text",
    [
        token({"sub": "team7", "exp": int(time.time()) - DAY}),
        token({"sub": "team7"}, algorithm="none"),
        token({"sub": "team7"}, signature=8),
        token({"sub": "1234567890", "name": "John Doe"}),
        token({"iss": "supabase", "role": "anon", "exp": int(time.time()) + DAY}),
    ],
)
def test_a_token_that_opens_nothing_is_no_finding_of_any_rule(text: str, find: Find) -> None:
    assert find(f"token = '{text}'\nAuthorization: Bearer {text}\n") == []
