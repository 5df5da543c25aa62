"""Keys and phrases of cryptocurrency wallets: what they say of themselves, and those that everybody has.

Most carry a checksum; a key of Ethereum is any number below the order of its curve, and a phrase is known by its words.
Each check returns why a token is no secret, or None, as those in `checksums` do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
XRP58 = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
XRP_SEED, XRP_ED25519 = b"\x21", b"\x01\xe1\x4b"
_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NUMBER = re.compile(rb"[0-9]{1,3}")
_PUBLISHED = frozenset(" ".join((
    # the accounts of Hardhat and Anvil, Ganache and Truffle
    "07f935b61d37e0e5 0aedba9d586f34f9 0b33e0132123e78d 0bc9fde2b028e3b0 100546a8b020a55a 196fbadca8b7eea6",
    "28e543d3753fc9d1 30e55f5463e22af0 33f532fd39fa0d77 38e69fdd19aefeb4 3fd5610ee03a3503 4a67d7a0d8a16d6d",
    "4d3e46eec8244d1d 5330d388af894c9e 578592185588730b 64034b44c579b335 664b73b16aa57748 6dea34b661141091",
    "70b801afae94d2e6 728383dec6323112 7d1b5fc238610328 8335c55334821eef 84bc109b3d59b017 85bde548053aab4b",
    "967f21586cdf1248 98a38f6dad3f47af a2e06155cb1a424f b08bdfde9930d920 b26ab6529d20ebeb bc1a50966c9e6486",
    "c15f3d9dfdc98389 cf1fc66f853151a4 e4639de7f01667f6 e4f1734df0250d54 ecd5e9d0b08a8a9f f070994a85994785",
    "f1513114f60e5e95 f24167accb5d690f f51c2c795f782308 faeb1dab5a326eef",
    # the test vectors of BIP 32
    "00860ac612128954 04a564938fd41d29 2243ae4c73014469 38f45b57d43a7400 42010a606042a639 4ec7efd0add0ac4b",
    "75754388723db8ec 86826de463a4859a 93e28cee01d34e88 9d61c593824c392c ac17da3e11432de9 bebe65f0e0569d62",
    "c14aca8e6d6b82d1 c3e981f8e1c6a201 e4cd8805007606c1 ed7bfe0ceae813bc fa146b83df550394",
    # phrases: the test vectors of BIP 39, Ganache, Truffle, Substrate
    "0f388b04e512d7a0 16df24f26063525e 1b7e12a5fbbb126f 24ab07afdcda42ea 2a3caffdead1e45d 30452ba5605dd252",
    "31cfc32f8b1a414e 341c225b06c91708 3b9b8ee74bf1320a 662c451cc5886e1d 6d828debd306e21a 6f9def463cd4ff64",
    "7c808e8e7dd2ae0f 867f9f5929a7201c 88f2ee81ba729de8 90efef5d3a739e5f 9b41a2565767eced 9c5d0a6656e5d3f3",
    "b12ee277a669b18f b1bff22ae077ce1a b2e71100d10bee74 b83e96417f61cb14 b8ae5c99142647d1 cc95a8a1b5e9bf13",
    "d16d608fce743a04 d6da54d12db9eac8 ecb0e7ba498c5920 f25d5976c4e2372f",
    # examples of Bitcoin, the XRP Ledger, Stellar and Nostr
    "110040843c3adf0d 42ae953657cb1894 518eb8d58afc53cd 63d25a1eb677d096 7bb5d6a967d0f26d 97380bed40c76b62",
    "9d6a2b9d1f01d457 cdfce49713b0b848 d77ed9dae0bb52e3 fa1ccdeec8175c63 fd70628fee67e0f0",
)).split())  # fmt: skip
"""The beginnings of the SHA-256 of test keys and phrases that everybody has, keys of Ethereum in lower-case hex."""
_UNLISTED = frozenset(
    b"""
    the and for with from are was were not but has had its our his her she him them these those which would could should
    been your how why who whose may might words four five nine eleven here lorem ipsum mnemonic foo baz using keys via per
    does did than value string data function class null none generate generated
    """.split()
)
"""Words that sentences and placeholders have, and the list of BIP 39 has not."""


def base58(text: bytes, alphabet: bytes = BASE58) -> bytes:
    """Return the bytes that text in base 58 stands for, none for text that is none.

    >>> base58(b"11z"), base58(b"0")
    (b'\\x00\\x009', b'')
    """
    number = 0
    for char in text:
        place = alphabet.find(char)
        if place < 0:
            return b""
        number = number * 58 + place
    zeros = len(text) - len(text.lstrip(alphabet[:1]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58_checksum(raw: bytes) -> bytes:
    """Return the four bytes that end what is in base 58: of SHA-256, applied twice."""
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]


def base58check(text: bytes, alphabet: bytes = BASE58) -> bytes:
    """Return the bytes before the checksum, none where that is wrong."""
    raw = base58(text, alphabet)
    return raw[:-4] if base58_checksum(raw[:-4]) == raw[-4:] else b""


def bitcoin(token: bytes, before: bytes = b"") -> str | None:
    """A key in the wallet import format: a byte for the network, 32 of the key, and 1 for a compressed public key.

    Source: https://developer.bitcoin.org/devguide/wallets.html#wallet-import-format-wif.
    """
    raw = base58check(token)
    if raw[:1] not in (b"\x80", b"\xef") or not (len(raw) == 33 or (len(raw) == 34 and raw[33] == 1)):
        return "its checksum (base58check) is wrong"
    return _not_random(raw[1:33], token)


def extended(token: bytes, before: bytes = b"") -> str | None:
    """An extended private key is 78 bytes: version, place in the tree, chain code, a zero, and 32 of the key.

    Sources: https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki#serialization-format and the
    versions in https://github.com/satoshilabs/slips/blob/master/slip-0132.md.
    """
    raw = base58check(token)
    if len(raw) != 78 or raw[45]:
        return "its checksum (base58check) is wrong"
    return _not_random(raw[46:], token)


def nostr(token: bytes, before: bytes = b"") -> str | None:
    """A private key is 32 bytes in bech32.

    Source: https://github.com/nostr-protocol/nips/blob/master/19.md.
    """
    from scanner.confirm.keys_age import decode  # what else it brings, no other token needs

    raw = decode(token.decode("latin-1"))
    return "its checksum (bech32) is wrong" if raw is None or len(raw) != 32 else _not_random(raw, token)


def stellar(token: bytes, before: bytes = b"") -> str | None:
    """A seed is base32 of a version, 32 bytes and their CRC-16 (XModem), lowest byte first.

    Source: https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md.
    """
    try:
        raw = base64.b32decode(token)
    except binascii.Error:
        return "it is no base32"
    if raw[:1] != b"\x90" or len(raw) != 35 or stellar_checksum(raw[:-2]) != raw[-2:]:
        return "its checksum (CRC-16) is wrong"
    return _not_random(raw[1:33], token)


def stellar_checksum(raw: bytes) -> bytes:
    """Return the two bytes that end a strkey."""
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")


def xrp(token: bytes, before: bytes = b"") -> str | None:
    """A seed is a prefix and 16 bytes, in base 58 with an alphabet of its own.

    Source: https://xrpl.org/docs/references/protocol/data-types/base58-encodings.
    """
    raw = base58check(token, XRP58)
    if raw[:-16] not in (XRP_SEED, XRP_ED25519):
        return "its checksum (base58check) is wrong"
    return _not_random(raw[-16:], token)


def solana(token: bytes, before: bytes = b"") -> str | None:
    """A key pair is 64 bytes, a seed of Ed25519 and the public key of it, as a list of numbers or in base 58.

    Source: https://docs.anza.xyz/cli/wallets/file-system.
    """
    if token.startswith(b"["):
        numbers = [int(number) for number in _NUMBER.findall(token)]
        raw = bytes(numbers) if max(numbers, default=256) < 256 else b""
    else:
        raw = base58(token)
    if len(raw) != 64:
        return "it is no key pair of 64 bytes"
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(raw[:32]).public_key().public_bytes_raw()
    return _not_random(raw[:32], token) if public == raw[32:] else "its public key is of another one"


def ethereum(token: bytes, before: bytes = b"") -> str | None:
    """A private key is a number below the order of secp256k1; those of local test networks are published.

    Sources: https://ethereum.org/en/developers/docs/accounts/ and, for the published ones,
    https://hardhat.org/hardhat-network/docs/reference and https://archive.trufflesuite.com/docs/ganache/.
    """
    try:
        raw = bytes.fromhex(token[-64:].decode("latin-1"))
    except ValueError:
        return "it is no number of 32 bytes"
    if len(raw) != 32 or int.from_bytes(raw, "big") >= _SECP256K1:
        return "it is no key on secp256k1"
    return _not_random(raw, raw.hex().encode())


def mnemonic(token: bytes, before: bytes = b"") -> str | None:
    """A phrase has 12, 15, 18, 21 or 24 words of a list; few of them come twice.

    Of words that are not of the list only common ones are known here, so the last word's checksum is not read.

    Source: https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki.
    """
    words = token.split()
    if len(words) not in (12, 15, 18, 21, 24):
        return "it has not as many words as a phrase has"
    if len(set(words)) <= len(words) - 3:
        return "it repeats words, as test phrases do"
    if not _UNLISTED.isdisjoint(words):
        return "it holds words that no phrase has"
    return "is published as a test phrase" if _published(token) else None


def _not_random(raw: bytes, token: bytes) -> str | None:
    """Return what says that bytes are no secret key: too few different ones for random bytes, or everybody has it."""
    if len(set(raw)) < len(raw) // 2 - 1:
        return "it is no key of random bytes"
    return "is a published test key" if _published(token) else None


def _published(token: bytes) -> bool:
    return hashlib.sha256(token).hexdigest()[:16] in _PUBLISHED
