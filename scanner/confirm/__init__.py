"""What a pattern cannot say: each function here reads the text around anchors and decides.

A confirmation takes a rule, the whole chunk and the rising end offsets of the rule's
anchors in it, and yields the matches it believes, each with its evidence. It depends on
the text alone, never on which engine found the anchors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from scanner.confirm import aws, console, pattern, private_keys
from scanner.model import Match, Rule

Confirmation = Callable[[Rule, bytes, Sequence[int]], Iterator[Match]]

CONFIRMATIONS: dict[str, Confirmation] = {
    "pattern": pattern.confirm,
    "aws-key-id": aws.confirm_key_id,
    "aws-secret-key": aws.confirm_secret_key,
    "aws-session-token": aws.confirm_session_token,
    "private-key": private_keys.confirm,
    "console-password": console.confirm,
}
