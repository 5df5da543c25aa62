"""What to do about one credential: first make it worthless, then take it out of the history.

Steps hold commands as a person would type them. What is known of a credential is put in;
its secret never is. A credential that has a way of its own has a function, named in
`_WAYS`; for the others the rule's remedy and pages say what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scanner.model import Rule
from scanner.remedy import aws
from scanner.remedy.step import Step
from scanner.store.results import Known

_WAYS: dict[str, Callable[[Known, Sequence[str]], list[Step]]] = {
    "aws-access-key-id": aws.access_key,
    "aws-secret-access-key": aws.access_key,
    "aws-ses-smtp-password": aws.access_key,
}


def steps(known: Known, rule: Rule, ids: Sequence[str] = ()) -> list[Step]:
    """Return how to make a credential worthless. `ids` are the AWS access key ids beside it, where they were read."""
    special = _WAYS[known.rule](known, ids) if known.rule in _WAYS else aws.key_pair(known) if aws.is_key_pair(known) else []
    links = "\n".join(rule.references)
    return [*special, Step("What the rule says" if special else "Revoke it", f"{rule.why}\n{rule.fix}\n{links}")]


def afterwards(known: Known) -> Step:
    """Return what remains when it is revoked and the history is clean."""
    said = "Fresh commits must not bring it back: everyone clones anew instead of pulling, and the hook is installed."
    command = f"keyleash findings set {known.fingerprint[:12]} --state revoked --reason 'replaced' --store FILE"
    return Step("Write down that it is done", said, (command,))
