"""What a pattern cannot say: each function here reads the text around anchors and decides.

A confirmation takes a rule, the whole chunk and the rising end offsets of the rule's
anchors in it, and yields the matches it believes, each with its evidence. It depends on
the text alone, never on which engine found the anchors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from scanner.model import Match, Rule

Confirmation = Callable[[Rule, bytes, Sequence[int]], Iterator[Match]]

# What a rule's `confirm` names, by module and function. Imported when an anchor asks for
# it: a commit without one does not pay for compiling the patterns.
CONFIRMATIONS: dict[str, tuple[str, str]] = {
    "pattern": ("scanner.confirm.pattern", "confirm"),
    "aws-key-id": ("scanner.confirm.aws", "confirm_key_id"),
    "aws-secret-key": ("scanner.confirm.aws", "confirm_secret_key"),
    "aws-session-token": ("scanner.confirm.aws", "confirm_session_token"),
    "aws-bedrock": ("scanner.confirm.aws_services", "confirm_bedrock"),
    "aws-presigned": ("scanner.confirm.aws_services", "confirm_presigned"),
    "aws-smtp": ("scanner.confirm.aws_services", "confirm_smtp"),
    "basic-auth": ("scanner.confirm.basic", "confirm"),
    "private-key": ("scanner.confirm.private_keys", "confirm"),
    "pgp-private-key": ("scanner.confirm.keys_pgp", "confirm"),
    "age-secret-key": ("scanner.confirm.keys_age", "confirm"),
    "wireguard-private-key": ("scanner.confirm.keys_wireguard", "confirm"),
    "minisign-secret-key": ("scanner.confirm.keys_minisign", "confirm"),
    "key-store": ("scanner.confirm.keys_stores", "confirm"),
    "console-password": ("scanner.confirm.console", "confirm"),
    "grafana-token": ("scanner.confirm.checksums", "confirm"),
    "json-token": ("scanner.confirm.checksums", "confirm"),
    "intercom-token": ("scanner.confirm.checksums", "confirm"),
    "github-token": ("scanner.confirm.checksums", "confirm"),
    "gitlab-token": ("scanner.confirm.checksums", "confirm"),
    "pypi-token": ("scanner.confirm.checksums", "confirm"),
    "discord-token": ("scanner.confirm.checksums", "confirm"),
    "cloudflare-tunnel": ("scanner.confirm.checksums", "confirm"),
    "1password-token": ("scanner.confirm.checksums", "confirm"),
    "supabase-key": ("scanner.confirm.checksums", "confirm"),
    "kubernetes-token": ("scanner.confirm.checksums", "confirm"),
    "matrix-token": ("scanner.confirm.checksums", "confirm"),
    "packagist-token": ("scanner.confirm.checksums", "confirm"),
    "bitcoin-key": ("scanner.confirm.checksums", "confirm"),
    "extended-key": ("scanner.confirm.checksums", "confirm"),
    "nostr-key": ("scanner.confirm.checksums", "confirm"),
    "stellar-seed": ("scanner.confirm.checksums", "confirm"),
    "xrp-seed": ("scanner.confirm.checksums", "confirm"),
    "solana-key": ("scanner.confirm.checksums", "confirm"),
    "ethereum-key": ("scanner.confirm.checksums", "confirm"),
    "mnemonic-phrase": ("scanner.confirm.checksums", "confirm"),
    "app-password": ("scanner.confirm.checksums", "confirm"),
    "jwt": ("scanner.confirm.jwt", "confirm"),
    "generic": ("scanner.confirm.generic", "confirm"),
}


@functools.cache
def confirmation(name: str) -> Confirmation:
    """Return the function that a rule's `confirm` names."""
    module, function = CONFIRMATIONS[name]
    found: Confirmation = getattr(import_module(module), function)
    return found
