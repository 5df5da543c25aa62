"""Tokens with a checksum or a structure: the right ones are found, and one wrong character drops them."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from scanner.confirm.checksums import (
    BASE36,
    BASE62,
    CHECKS,
    digits,
    github,
    gitlab,
    grafana_checksum,
    macaroon,
    matrix_checksum,
)
from scanner.confirm.wallets import base58check, ethereum, mnemonic
from scanner.examples import expand
from scanner.model import RuleSet
from tests.conftest import Find

# One token a check, whose last character of the group is changed to break it.
TOKENS = {
    "github-personal-access-token": "ghp_{{github:36}}",
    "github-oauth-token": "gho_{{github:36}}",
    "github-app-user-token": "ghu_{{github:36}}",
    "github-app-installation-token": "ghs_{{github:36}}",
    "npm-access-token": "npm_{{github:36}}",
    "gitlab-access-token": "{{routable:glpat}}",
    "gitlab-deploy-token": "{{routable:gldt}}",
    "pypi-api-token": "{{macaroon:pypi}}",
}


def changed(token: str, place: int) -> str:
    """Return the token with another character of the same kind at one place."""
    place %= len(token)
    new = "7" if token[place] != "7" else "3"
    return token[:place] + new + token[place + 1 :]


@pytest.mark.parametrize("rule", TOKENS)
def test_a_right_checksum_is_found(rule: str, find: Find) -> None:
    token = expand(f"token = {TOKENS[rule]}")[8:]
    (match,) = find(f"token = {token}\n")
    assert (match.rule.id, match.secret, match.confidence) == (rule, token.encode(), "high")
    assert match.evidence in (("its checksum is right",), ("is a whole macaroon",))


@pytest.mark.parametrize("rule", [rule for rule in TOKENS if rule != "pypi-api-token"])
@pytest.mark.parametrize("place", [-1, -6, -12])
def test_one_wrong_character_drops_a_token(rule: str, place: int, find: Find) -> None:
    token = expand(f"token = {TOKENS[rule]}")[8:]
    assert find(f"token = {changed(token, place)}\n") == []


def test_the_checksum_of_github_is_what_its_announcement_describes() -> None:
    """CRC-32 of the 30 characters behind the prefix, in base 62 with leading zeros, six characters."""
    body = expand("{{alnum:30}}").encode()
    number, check = zlib.crc32(body), b""
    for _ in range(6):
        check = BASE62[number % 62 : number % 62 + 1] + check
        number //= 62
    assert github(b"ghp_" + body + check) is None
    assert github(b"npm_" + body + check) is None
    assert github(b"ghp_" + body[::-1] + check) == "its checksum (CRC-32, base 62) is wrong"
    assert digits(0, BASE62, 6) == b"000000"


def test_a_routable_token_says_how_long_its_payload_is() -> None:
    text = f"glpat-{expand('{{urlsafe:36}}')}.01."
    wrong, right = text + "11", text + "10"
    for start, reason in ((wrong, "its length field is wrong"), (right, None)):
        token = start.encode() + digits(zlib.crc32(start.encode()), BASE36, 7)
        assert gitlab(token) == reason


def test_forms_of_gitlab_tokens_that_no_checksum_judges(find: Find) -> None:
    for text in ("glpat-{{urlsafe:20}}", "acme-{{routable:glpat}}", "glrt-t1_{{urlsafe:20}}"):
        (match,) = find(expand(f"token: {text}"))
        assert match.rule.id in ("gitlab-access-token", "gitlab-runner-token")


@pytest.mark.parametrize("size", range(0, 100, 7))
def test_a_macaroon_that_is_cut_off_is_none(size: int) -> None:
    token = expand("{{macaroon:pypi}}").partition("-")[2]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert macaroon(raw) is None
    assert str(macaroon(raw[:size])).startswith("it is no macaroon")
    assert str(macaroon(raw + b"\0" * (size + 1))).startswith("it is no macaroon")


def test_a_macaroon_with_a_field_of_any_length_ends(find: Find) -> None:
    for raw in (b"\2", b"\2\1", b"\2\1\xff\xff\xff\xff\xff\xff\xff\xff", b"\2\1\xff" * 90, b"\2" + b"\0" * 300):
        assert str(macaroon(raw)).startswith("it is no macaroon")


def test_a_grafana_token_is_found_by_its_checksum(find: Find) -> None:
    token = expand("{{grafana:32}}")
    (match,) = find(f"GRAFANA_TOKEN={token}\n")
    assert (match.rule.id, match.secret.decode()) == ("grafana-service-account-token", token)
    assert match.evidence == ("its checksum is right",)


@pytest.mark.parametrize("place", [5, 20, 36, 38, 45])
def test_a_grafana_token_with_one_other_character_is_none(place: int, find: Find) -> None:
    assert find(f"GRAFANA_TOKEN={changed(expand('{{grafana:32}}'), place)}\n") == []


def test_the_checksum_covers_the_prefix_and_stands_with_its_lowest_byte_first() -> None:
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
    found = find(f"TOKEN={token[:place]}{'x9' * 12}{token[place + 24 :]}\n")
    assert [match for match in found if not match.rule.generic] == []  # of a form that is none a generic rule may think its own


def test_an_intercom_token_decodes_to_an_id(find: Find) -> None:
    for text, found in (
        ("tok:{{hex:8}}_{{hex:4}}_{{hex:4}}_{{hex:4}}_{{hex:12}}:1:0", 1),
        ("tok:{{alnum:8}}-{{alnum:30}}", 0),
    ):
        assert len(find("INTERCOM=" + base64.b64encode(expand(text).encode()).decode() + "\n")) == found


@pytest.mark.parametrize("name", ["grafana-token", "json-token", "intercom-token"])
@pytest.mark.parametrize("token", [b"", b"_", b"a_b", b"eyJ", b"sk.eyJ", b"eyJ!", b"\xff" * 9, b"eyJ" + b"W1tb" * 60_000])
def test_a_check_of_what_is_inside_does_not_stumble_over_nonsense(name: str, token: bytes) -> None:
    assert CHECKS[name].refusal(token, b"")


# By rule: the name that the credential is given to, and the credential.
CHECKSUMMED = {
    "matrix-synapse-token": ("token=", "{{matrix:syt}}"),
    "matrix-authentication-token": ("token=", "{{matrix:mat}}"),
    "private-packagist-token": ("token=", "{{packagist:ort}}"),
    "bitcoin-private-key": ("wif: ", "{{wif:compressed}}"),
    "bitcoin-extended-private-key": ("", "{{extended:xprv}}"),
    "nostr-private-key": ("", "{{bech32:nsec}}"),
    "stellar-secret-seed": ("", "{{stellar:seed}}"),
    "xrp-ledger-seed": ("seed = ", "{{xrp:ed25519}}"),
    "solana-keypair": ("", "{{solana:list}}"),
    "solana-private-key": ("SECRET_KEY=", "{{solana:base58}}"),
}


@pytest.mark.parametrize("rule", CHECKSUMMED)
def test_a_token_is_found_by_its_checksum(rule: str, find: Find) -> None:
    before, template = CHECKSUMMED[rule]
    token = expand(template)
    (match,) = find(f"{before}{token}\n")
    assert (match.rule.id, match.secret.decode(), match.confidence) == (rule, token, "high")


@pytest.mark.parametrize("rule", CHECKSUMMED)
@pytest.mark.parametrize("place", [5, 20, -8, -3])
def test_a_token_with_one_other_character_is_none(rule: str, place: int, find: Find) -> None:
    before, template = CHECKSUMMED[rule]
    token = expand(template)
    while not token[place].isalnum():  # a comma of a list
        place += 1
    assert [match.rule.id for match in find(f"{before}{changed(token, place)}\n") if not match.rule.generic] == []


def test_the_forms_of_keys_that_others_publish() -> None:
    """Pieces of the specifications' own examples, so that a mistake of ours is not in both what makes and what reads."""
    assert matrix_checksum(b"syt_YQ_" + b"a" * 20) == digits(zlib.crc32(b"syt_YQ_" + b"a" * 20), BASE62, 6)
    smallest = b"5HpHagT65TZzG1PH3CSu63k8Dbpv" + b"D8s5ip4nEB3kEsreAnchuDf"  # the private key 1, uncompressed
    assert base58check(smallest) == b"\x80" + (1).to_bytes(32, "big")
    assert CHECKS["bitcoin-key"].refusal(smallest, b"") == "it is no key of random bytes"


@pytest.mark.parametrize(
    "around",
    ["%s", "\ufeff%s", "payer:\n  - %s", "KEY='%s'", 'KEY="%s"', "f(\n        %s)", "let k: [u8; 64] = %s;", "vec!%s", "&%s",
     "[%s]", "a, %s", "return %s", "x =\n%s", '{"k":%s}', '{"k": %s}', "JSON.parse('%s')", "\t%s", "Uint8Array.from(%s)"],
)  # fmt: skip
def test_the_list_of_a_solana_key_is_found_wherever_code_opens_one(around: str, find: Find) -> None:
    (match,) = [match for match in find(around % expand("{{solana:list}}") + "\n") if not match.rule.generic]
    assert match.rule.id == "solana-keypair"


PUBLISHED = {
    "5HueCGU8rMjxEXxiPuD5BDku4Mk" + "FqeZyd4dZ1jvhTVqvbTLvyTJ": "bitcoin-key",
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPP"
    + "qjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi": "extended-key",
    "nsec1vl029mgpspedva04g90vltkh6" + "fvh240zqtv9k0t9af8935ke9laqsnlfe5": "nostr-key",
    "snoPBrXtMeMyMH" + "UVTgbuqAfg1SUTb": "xrp-seed",
    "0xac0974bec39a17e36ba4a6b4d238ff94" + "4bacb478cbed5efcae784d7bf4f2ff80": "ethereum-key",
    "candy maple cake sugar pudding cream " + "honey rich smooth crumble sweet treat": "mnemonic-phrase",
}
"""One of each kind from the specification, or from the tool that makes test accounts."""
TEST_ACCOUNT = next(value for value, kind in PUBLISHED.items() if kind == "ethereum-key")


@pytest.mark.parametrize("value", PUBLISHED)
def test_keys_that_everybody_has_are_none(value: str) -> None:
    assert str(CHECKS[PUBLISHED[value]].refusal(value.encode(), b"")).startswith("is ")


def test_a_published_key_is_nothing_for_the_generic_rules_either(find: Find) -> None:
    assert find(f"PRIVATE_KEY={TEST_ACCOUNT}\n") == []
    assert find(f"PRIVATE_KEY={TEST_ACCOUNT.upper()[2:]}\n") == []


def test_a_number_that_is_no_key_on_the_curve_is_none() -> None:
    order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
    assert ethereum(order.encode()) == "it is no key on secp256k1"
    assert ethereum(b"0x" + b"12" * 32) == "it is no key of random bytes"
    assert ethereum(expand("0x{{hex:64}}").encode()) is None


def test_phrases() -> None:
    phrase = expand("{{phrase:24}}")
    assert mnemonic(phrase.encode()) is None
    assert mnemonic(phrase.rpartition(" ")[0].encode()) == "it has not as many words as a phrase has"
    assert mnemonic(" ".join(["test"] * 11 + ["junk"]).encode()) == "it repeats words, as test phrases do"
    assert mnemonic(" ".join([*phrase.split()[:11], "your"]).encode()) == "it holds words that no phrase has"


def test_a_phrase_is_never_shown_in_part(find: Find) -> None:
    for text in ("MNEMONIC='%s'", 'seedPhrase: "%s",', "recovery phrase: %s\n", '--mnemonic "%s" --x'):
        (match,) = find(text % expand("{{phrase:12}}"))
        assert (match.rule.id, match.rule.guessable) == ("wallet-recovery-phrase", True)
    assert find(expand("mnemonic: {{phrase:12}} and these are more words")) == []


@pytest.mark.parametrize(
    "name",
    [
        *(check for check in CHECKS if check.endswith(("-seed", "-phrase"))),
        "bitcoin-key",
        "extended-key",
        "nostr-key",
        "solana-key",
        "ethereum-key",
    ],
)
@pytest.mark.parametrize("token", [b"", b"[", b"[]", b"[999]", b"0x", b"1" * 64, b"\xff" * 56, b"S" * 56, b"z" * 88])
def test_a_check_of_a_key_does_not_stumble_over_nonsense(name: str, token: bytes) -> None:
    assert CHECKS[name].refusal(token, b"")


def test_every_check_is_used_by_a_rule_and_refuses_garbage(rules: RuleSet) -> None:
    assert CHECKS.keys() <= {rule.confirm for rule in rules.rules}
    garbage = base64.b64encode(json.dumps(["a", 1]).encode())
    for name, check in CHECKS.items():
        token = {"gitlab-token": b"glpat-abc.01.000000000"}.get(name, b"x_" + garbage + b"." + garbage + b"." + garbage)
        assert check.refusal(token, b"")
