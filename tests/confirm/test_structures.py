"""Tokens with something to read inside: what a placeholder lacks drops it, whatever its form."""

from __future__ import annotations

import base64
import json

import pytest

from scanner.confirm.structures import CHECKS, grafana_checksum
from scanner.examples import expand
from tests.conftest import Find


def flipped(text: str, place: int) -> str:
    """Return a text with another letter or digit at a place."""
    return text[:place] + ("b" if text[place] != "b" else "c") + text[place + 1 :]


def test_a_grafana_token_is_found_by_its_checksum(find: Find) -> None:
    token = expand("{{grafana:32}}")
    (match,) = find(f"GRAFANA_TOKEN={token}\n")
    assert (match.rule.id, match.secret.decode()) == ("grafana-service-account-token", token)
    assert match.evidence == ("its checksum is right",)


@pytest.mark.parametrize("place", [5, 20, 36, 38, 45])
def test_a_grafana_token_with_one_other_character_is_none(place: int, find: Find) -> None:
    assert find(f"GRAFANA_TOKEN={flipped(expand('{{grafana:32}}'), place)}\n") == []


def test_the_checksum_covers_the_prefix_and_stands_with_its_lowest_byte_first() -> None:
    import zlib

    assert grafana_checksum(b"glsa_" + b"a" * 32) == zlib.crc32(b"glsa_" + b"a" * 32).to_bytes(4, "little").hex().encode()


def coded(fields: object, urlsafe: bool = False, padding: bool = True) -> str:
    raw = json.dumps(fields, separators=(",", ":")).encode()
    text = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(raw).decode()
    return text if padding else text.rstrip("=")


ORGANISATION = {"iat": 1700000000.25, "url": "https://sentry.io", "region_url": "https://us.sentry.io", "org": "team7"}


def with_fields() -> dict[str, str]:
    account = {"u": "team7", "a": "ck" + expand("{{lower:23}}")}
    policy = {"o": "1", "n": "team", "k": expand("{{alnum:24}}"), "m": {"r": "eu"}}
    return {
        "sentry-organization-token": f"sntrys_{coded(ORGANISATION)}_{expand('{{secret:43}}')}",
        "mapbox-secret-token": f"sk.{coded(account, urlsafe=True, padding=False)}.{expand('{{urlsafe:22}}')}",
        "grafana-cloud-access-token": f"glc_{coded(policy)}",
        "grafana-api-key": coded({"k": expand("{{alnum:32}}"), "n": "ci", "id": 1}),
    }


@pytest.mark.parametrize("rule", with_fields())
def test_fields_in_base64_are_read(rule: str, find: Find) -> None:
    token = with_fields()[rule]
    assert [(match.rule.id, match.secret.decode()) for match in find(f"TOKEN={token}\n")] == [(rule, token)]
    assert find(f'TOKEN="{token}"\n')[0].evidence == ("its fields can be read",)


@pytest.mark.parametrize("rule", with_fields())
def test_what_only_looks_like_fields_is_none(rule: str, find: Find) -> None:
    token = with_fields()[rule]
    place = token.index("eyJ") + 4
    assert find(f"TOKEN={token[:place]}{'x9' * 12}{token[place + 24 :]}\n") == []


def test_an_intercom_token_decodes_to_an_id(find: Find) -> None:
    for text, found in (
        ("tok:{{hex:8}}_{{hex:4}}_{{hex:4}}_{{hex:4}}_{{hex:12}}:1:0", 1),
        ("tok:{{alnum:8}}-{{alnum:30}}", 0),
    ):
        assert len(find("INTERCOM=" + base64.b64encode(expand(text).encode()).decode() + "\n")) == found


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("token", [b"", b"_", b"a_b", b"eyJ", b"sk.eyJ", b"eyJ!", b"\xff" * 9, b"eyJ" + b"W1tb" * 60_000])
def test_no_check_stumbles_over_nonsense(name: str, token: bytes) -> None:
    assert CHECKS[name][0](token)
