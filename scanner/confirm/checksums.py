"""Tokens that say of themselves whether they are real: a checksum, or a structure that no placeholder has.

Each check takes the token and the byte before it, and returns why it is no credential, or None.
A token that its check refuses is dropped, so a check stands here only where the provider
documents the form, or publishes the code that makes it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from scanner.confirm import wallets
from scanner.confirm.pattern import LOW_ENTROPY, search
from scanner.confirm.text import entropy
from scanner.model import REFUSED, Match, Rule
from scanner.trace import dropped

BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE36 = b"0123456789abcdefghijklmnopqrstuvwxyz"
_APP_PASSWORD = re.compile(rb"[a-z]{4}(?: [a-z]{4}){3}\Z")
_JSON = re.compile(rb"eyJ[A-Za-z0-9+/]+")
_INTERCOM = re.compile(rb"tok:[0-9a-f]{8}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12}:[0-9]+:[0-9]+\Z")
_LOCATION, _IDENTIFIER, _VERIFICATION, _SIGNATURE, _END = 1, 2, 4, 6, 0


def digits(number: int, alphabet: bytes, size: int) -> bytes:
    """Return a number in the base of the alphabet's length, padded to `size` with its zero.

    >>> digits(61, BASE62, 3)
    b'00z'
    """
    text = bytearray()
    for _ in range(size):
        number, rest = divmod(number, len(alphabet))
        text.append(alphabet[rest])
    return bytes(reversed(text))


def github(token: bytes, before: bytes = b"") -> str | None:
    """The last six characters are the CRC-32 of those behind the prefix, in base 62 (GitHub and npm).

    Sources: https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    and https://github.blog/security/announcing-npms-new-access-token-format/.

    >>> github(b"ghp_" + b"0" * 30 + digits(zlib.crc32(b"0" * 30), BASE62, 6))
    """
    body = token.partition(b"_")[2]
    return None if digits(zlib.crc32(body[:-6]), BASE62, 6) == body[-6:] else "its checksum (CRC-32, base 62) is wrong"


def gitlab(token: bytes, before: bytes = b"") -> str | None:
    """A routable token ends with the CRC-32 of all before it, in base 36; one without a dot has no checksum.

    The checksum covers the prefix, and so an instance's own in front of it too: such a token is
    not judged. Source: https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/.
    """
    if b"." not in token or before == b"-":
        return None
    payload = token.partition(b".")[0].partition(b"-")[2]
    if payload.startswith(b"t") and payload[2:3] == b"_":  # a runner's kind stands before its payload
        payload = payload[3:]
    if int(token[-9:-7], 36) != len(payload):
        return "its length field is wrong"
    return None if digits(zlib.crc32(token[:-7]), BASE36, 7) == token[-7:] else "its checksum (CRC-32, base 36) is wrong"


def pypi(token: bytes, before: bytes = b"") -> str | None:
    """Behind `pypi-` stands a macaroon: its fields are read up to the signature of 32 bytes.

    Sources: https://pypi.org/help/#apitoken and the binary format, version 2, in
    https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt.
    """
    try:
        raw = decoded(token.partition(b"-")[2])
    except binascii.Error:
        return "it is no macaroon: not base64"
    return macaroon(raw)


def macaroon(raw: bytes) -> str | None:
    """Return what keeps bytes from being a whole macaroon of version 2, or None."""
    if raw[:1] != b"\2":
        return "it is no macaroon: another version"
    kinds: list[int] = []
    place = 1
    while place < len(raw):
        kind, place = raw[place], place + 1
        kinds.append(kind)
        if kind == _END:
            continue
        size = shift = 0
        while place < len(raw):
            byte, place = raw[place], place + 1
            size, shift = size | (byte & 0x7F) << shift, shift + 7
            if not byte & 0x80:
                break
        place += size
        if kind not in (_LOCATION, _IDENTIFIER, _VERIFICATION, _SIGNATURE) or place > len(raw):
            return "it is no macaroon: a field is cut off or unknown"
        if kind == _SIGNATURE:
            whole = size == 32 and place == len(raw) and kinds[:2] == [_LOCATION, _IDENTIFIER] and kinds[-2] == _END
            return None if whole else "it is no macaroon: no signature at its end"
    return "it is no macaroon: no signature at its end"


def discord(token: bytes, before: bytes = b"") -> str | None:
    """The first part is the bot's id, a number of 17 to 20 digits, in base64.

    Source: https://docs.discord.com/developers/reference (snowflakes, authentication).
    """
    try:
        number = decoded(token.partition(b".")[0])
    except binascii.Error:
        return "its first part is no base64"
    return None if number.isdigit() and 17 <= len(number) <= 20 else "its first part is no id of a bot"


def cloudflare_tunnel(token: bytes, before: bytes = b"") -> str | None:
    """A tunnel's token is base64 of JSON with the account `a`, the tunnel `t` and the secret `s`.

    Source: https://developers.cloudflare.com/cloudflare-one/networks/connectors/cloudflare-tunnel/configure-tunnels/remote-tunnel-permissions/.
    """
    fields = json_of(token)
    return None if isinstance(fields, dict) and fields.keys() >= {"a", "t", "s"} else "it does not decode to a tunnel's fields"


def one_password(token: bytes, before: bytes = b"") -> str | None:
    """A service account's token is `ops_` and base64 of JSON that holds its secret key.

    Source: https://developer.1password.com/docs/service-accounts/.
    """
    fields = json_of(token.partition(b"_")[2])
    return None if isinstance(fields, dict) and "secretKey" in fields else "it does not decode to a service account's fields"


def supabase(token: bytes, before: bytes = b"") -> str | None:
    """A key in the old form is a JWT; the one whose role is `service_role` is secret, `anon` is public.

    Source: https://supabase.com/docs/guides/api/api-keys.
    """
    claims = json_of(token.split(b".")[1])
    return None if isinstance(claims, dict) and claims.get("role") == "service_role" else "its role is not service_role"


def kubernetes(token: bytes, before: bytes = b"") -> str | None:
    """The claims of a service account's token name the account.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/.
    """
    claims = json_of(token.split(b".")[1])
    named = isinstance(claims, dict) and str(claims.get("sub", "")).startswith("system:serviceaccount:")
    return None if named else "its claims name no service account"


def grafana_checksum(head: bytes) -> bytes:
    """Return the eight hexadecimal digits that end a Grafana service account token: CRC-32, lowest byte first.

    It covers the prefix and the 32 characters behind it.
    Source: https://github.com/grafana/grafana/blob/main/pkg/components/satokengen/tokengen.go.

    >>> grafana_checksum(b"glsa_" + b"0" * 32)
    b'162149fe'
    """
    return zlib.crc32(head).to_bytes(4, "little").hex().encode()


def grafana(token: bytes, before: bytes = b"") -> str | None:
    """The last part is the checksum of the others."""
    head, _, checksum = token.rpartition(b"_")
    return None if grafana_checksum(head) == checksum else "its checksum (CRC-32) is wrong"


def json_inside(token: bytes, before: bytes = b"") -> str | None:
    """A part of the token is a JSON object in base64, and the object is whole.

    So it is documented for Sentry (https://docs.sentry.io/security-legal-pii/security/token-formats/) and Mapbox
    (https://docs.mapbox.com/api/accounts/tokens/#token-format), and so the code of Grafana makes and reads its own
    (https://github.com/grafana/grafana/blob/main/pkg/components/apikeygen/apikeygen.go).

    >>> json_inside(b"sk." + base64.b64encode(b'{"u":"a"}') + b".x"), json_inside(b"sk.eyJ1xx.x")
    (None, 'it does not decode to fields')
    """
    found = _JSON.search(token)
    fields = json_of(found.group()) if found else None
    return None if isinstance(fields, dict) and fields else "it does not decode to fields"


def intercom(token: bytes, before: bytes = b"") -> str | None:
    """The token is base64 of `tok:`, an id and two numbers.

    Source: the example in https://developers.intercom.com/docs/build-an-integration/learn-more/authentication.
    """
    try:
        text = decoded(token)
    except binascii.Error:
        text = b""
    return None if _INTERCOM.match(text) else "it does not decode to tok: and an id"


def matrix_checksum(head: bytes) -> bytes:
    """Return the six characters that end a token of Matrix: the CRC-32 of all before their underscore, in base 62.

    Synapse writes the digits as usual, its authentication service the lowest one first.
    Sources: https://github.com/element-hq/synapse/blob/develop/synapse/handlers/auth.py and
    https://github.com/element-hq/matrix-authentication-service/blob/main/crates/data-model/src/tokens.rs.

    >>> matrix_checksum(b"syt_YQ_" + b"a" * 20), matrix_checksum(b"mat_" + b"a" * 30)
    (b'2opm0A', b'9DsFA3')
    """
    check = digits(zlib.crc32(head), BASE62, 6)
    return check if head.startswith(b"sy") else check.lstrip(b"0")[::-1].rjust(6, b"0")


def matrix(token: bytes, before: bytes = b"") -> str | None:
    """The last part is the checksum of the others."""
    head, _, checksum = token.rpartition(b"_")
    return None if matrix_checksum(head) == checksum else "its checksum (CRC-32, base 62) is wrong"


def packagist(token: bytes, before: bytes = b"") -> str | None:
    """The last eight characters are the CRC-32 of all before them, in hexadecimal digits.

    Source: https://github.com/packagist/private-packagist-docs/blob/main/docs/composer-authentication.md.
    """
    return None if f"{zlib.crc32(token[:-8]):08x}".encode() == token[-8:] else "its checksum (CRC-32, hexadecimal) is wrong"


def app_password(token: bytes, before: bytes = b"") -> str | None:
    """Google draws 16 small letters and shows them in four groups (https://support.google.com/mail/answer/185833)."""
    from scanner.confirm.generic_features import only_words

    if not _APP_PASSWORD.match(token):
        return "it is not four groups of four letters"
    return "it is four words" if only_words(token) else None


def decoded(text: bytes) -> bytes:
    """Return the bytes of base64 in either alphabet, with or without its padding. Raises `binascii.Error`."""
    plain = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)


def json_of(text: bytes) -> Any:
    """Return the JSON value inside base64, or None for what is neither."""
    try:
        return json.loads(decoded(text))
    except (binascii.Error, ValueError, RecursionError):
        return None


class Check(NamedTuple):
    """A function that returns why a token is none, and the words for one that passes."""

    refusal: Callable[[bytes, bytes], str | None]
    evidence: Callable[[bytes], str]


def _says(text: str) -> Callable[[bytes], str]:
    return lambda token: text


def _of_network(test: Callable[[bytes], bool]) -> Callable[[bytes], str]:
    return lambda token: "its checksum is right" + (", for a test network" if test(token) else "")


CHECKS: dict[str, Check] = {
    "github-token": Check(github, _says("its checksum is right")),
    "gitlab-token": Check(gitlab, lambda token: "its checksum is right" if b"." in token else "has the documented form"),
    "pypi-token": Check(pypi, _says("is a whole macaroon")),
    "discord-token": Check(discord, lambda token: f"of the bot {decoded(token.partition(b'.')[0]).decode()}"),
    "cloudflare-tunnel": Check(cloudflare_tunnel, _says("decodes to account, tunnel and secret")),
    "1password-token": Check(one_password, _says("decodes to a service account with its secret key")),
    "supabase-key": Check(supabase, _says("its role is service_role")),
    "kubernetes-token": Check(kubernetes, lambda token: f"of {json_of(token.split(b'.')[1])['sub']}"),
    "grafana-token": Check(grafana, _says("its checksum is right")),
    "json-token": Check(json_inside, _says("its fields can be read")),
    "intercom-token": Check(intercom, _says("decodes to an id")),
    "matrix-token": Check(matrix, _says("its checksum is right")),
    "packagist-token": Check(packagist, _says("its checksum is right")),
    "bitcoin-key": Check(wallets.bitcoin, _of_network(lambda token: wallets.base58check(token)[0] == 0xEF)),
    "extended-key": Check(wallets.extended, _of_network(lambda token: token[:1] in b"tuvUV")),
    "nostr-key": Check(wallets.nostr, _says("its checksum is right")),
    "stellar-seed": Check(wallets.stellar, _says("its checksum is right")),
    "xrp-seed": Check(wallets.xrp, _says("its checksum is right")),
    "solana-key": Check(wallets.solana, _says("its public key belongs to it")),
    "ethereum-key": Check(wallets.ethereum, _says("is a key on secp256k1")),
    "app-password": Check(app_password, _says("is four groups of letters that are no words")),
    "mnemonic-phrase": Check(wallets.mnemonic, lambda token: f"has {len(token.split())} words, as a phrase of a wallet has"),
}
"""By the name that a rule's `confirm` gives."""


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield each match of the rule's pattern; one that its check refuses with the confidence `REFUSED`."""
    check = CHECKS[rule.confirm]
    for match in search(rule.pattern, data, ends, rule.reach):
        secret, start = match.group("secret"), match.start("secret")
        low = entropy(secret) < rule.entropy
        reason = LOW_ENTROPY if low else check.refusal(secret, data[max(0, start - 1) : start])
        if reason:
            dropped(rule, *match.span("secret"), reason)
            yield Match(rule, *match.span("secret"), secret, (), REFUSED, rule.severity)
            continue
        yield Match(rule, *match.span("secret"), secret, (check.evidence(secret),), rule.confidence, rule.severity)
