"""AWS: access keys are made inactive and deleted, key pairs are replaced where they open something.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html,
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-cli.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replacing-key-pair.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from scanner.overview import since
from scanner.remedy.step import Step
from scanner.store.results import Known

_SHORT = re.compile(r"\b([A-Z0-9]{4})…([A-Z2-7]{4})\b")
_ID = re.compile(r"[A-Z0-9]{20}")
_PAIR = re.compile(r"EC2 key pair fingerprint ([0-9a-f:]{47,59}|[A-Za-z0-9+/]{43}=)(?: |\Z)")
_SSH = re.compile(r"SSH fingerprint (SHA256:[A-Za-z0-9+/]{43})")


def short_ids(known: Known) -> list[str]:
    """Return the access key ids that a finding is or names, shortened as a report shows them."""
    texts = (known.redacted, *known.evidence)
    return list(dict.fromkeys("…".join(found) for text in texts for found in _SHORT.findall(text)))


def access_key(known: Known, ids: Sequence[str]) -> list[Step]:
    """Return how an access key is switched off, looked into and deleted, by its whole id where that was read."""
    whole = [id for id in ids if _ID.fullmatch(id)]
    if not whole:
        return [_find(known), *_key("$KEY", known)]
    return [step for id in whole for step in (_sessions(id, known) if id.startswith("ASIA") else _key(id, known))]


def _find(known: Known) -> Step:
    shown = short_ids(known)
    if not shown:
        said = "No access key id stands beside it. Whoever wrote it there knows whose it is; else look through the keys in use:"
        listing = (
            "aws iam generate-credential-report && aws iam get-credential-report --query Content --output text | base64 -d"
        )
        return Step("Find its access key id", said, (listing, "KEY=AKIA..."))
    begin, _, end = shown[0].partition("…")
    query = f"AccessKeyMetadata[?starts_with(AccessKeyId, '{begin}') && ends_with(AccessKeyId, '{end}')].AccessKeyId"
    loop = (
        "for user in $(aws iam list-users --query 'Users[].UserName' --output text); do "
        f'aws iam list-access-keys --user-name "$user" --query "{query}" --output text; done'
    )
    said = (
        f"Its access key id is {shown[0]}. With --repository the whole id is read from the repository; "
        "in the account itself this finds it:"
    )
    return Step("Find its access key id", said, (loop, f"KEY={begin}...{end}"))


def _key(id: str, known: Known) -> list[Step]:
    quoted = f'"{id}"' if id.startswith("$") else id
    owner = f'--user-name "$OWNER" --access-key-id {quoted}'
    return [
        Step("Switch the key off now", "It can be switched on again if a service turns out to need it.", (
            f"OWNER=$(aws iam get-access-key-last-used --access-key-id {quoted} --query UserName --output text)",
            f"aws iam update-access-key {owner} --status Inactive",
        )),
        _trail(quoted, known),
        Step("Issue a new one, then delete this", "Give the new key to what used the old one, outside of any repository. "
             "A role or IAM Identity Center needs no key at all.", (
            'aws iam create-access-key --user-name "$OWNER"',
            f"aws iam delete-access-key {owner}",
        )),
    ]  # fmt: skip


def _sessions(id: str, known: Known) -> list[Step]:
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",'
        '"Condition":{"DateLessThan":{"aws:TokenIssueTime":"\'"$(date -u +%FT%TZ)"\'"}}}]}'
    )
    said = (
        f"{id} is a temporary key: it ends by itself within 36 hours, and cannot be deleted. Until then deny "
        "what its role issued before now. CloudTrail (below) names the role."
    )
    command = f"aws iam put-role-policy --role-name ROLE --policy-name AWSRevokeOlderSessions --policy-document '{policy}'"
    return [Step("End the sessions of its role", said, (command,)), _trail(id, known)]


def _trail(id: str, known: Known) -> Step:
    began = since(known)
    said = (
        "CloudTrail's event history goes back 90 days and is kept by region; for earlier events ask the bucket of your trail. "
        + (f"It has been in the repository since {began.date().isoformat()}." if began else "")
    ).rstrip()
    query = "Events[].[EventTime,EventSource,EventName,Username]"
    command = (
        "for region in $(aws ec2 describe-regions --query 'Regions[].RegionName' --output text); do "
        f'aws cloudtrail lookup-events --region "$region" --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={id} '
        f"--query '{query}' --output text; done"
    )
    return Step("Look at what was done with it", said, (command,))


def is_key_pair(known: Known) -> bool:
    return any(_PAIR.search(said) for said in known.evidence)


def key_pair(known: Known) -> list[Step]:
    """Return how a private key is replaced where it opens something: as a key pair of EC2, or in authorized_keys."""
    prints = _all(_PAIR, known.evidence)
    ssh = _all(_SSH, known.evidence)
    query = "KeyPairs[].[KeyName,KeyPairId,KeyFingerprint]"
    search = (
        "for region in $(aws ec2 describe-regions --query 'Regions[].RegionName' --output text); do "
        f'aws ec2 describe-key-pairs --region "$region" --filters "Name=fingerprint,Values={",".join(prints)}" '
        f"--query '{query}' --output text; done"
    )
    users = "aws ec2 describe-instances --filters Name=key-name,Values=NAME --query 'Reservations[].Instances[].InstanceId'"
    replace = (
        "ssh-keygen -t ed25519 -f new-key",
        "ssh-copy-id -i new-key.pub USER@INSTANCE",
        f"ssh -i new-key USER@INSTANCE 'ssh-keygen -lf ~/.ssh/authorized_keys | grep -n {ssh[0] if ssh else 'SHA256'}'",
        "ssh -i new-key USER@INSTANCE \"sed -i 'LINEd' ~/.ssh/authorized_keys\"",
    )
    return [
        Step("Find the key pair and its instances", "By fingerprint, which depends on whether EC2 made the pair.",
             (search, users)),
        Step("Replace the key on each instance", "Deleting a key pair takes no access away: its public half stays in "
             "authorized_keys of each instance. LINE is the number that the third command prints.", replace),
        Step("Delete the key pair", "So that no new instance is started with it; also take it out of launch templates.",
             ("aws ec2 delete-key-pair --key-name NAME",)),
    ]  # fmt: skip


def _all(pattern: re.Pattern[str], texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found for text in texts for found in pattern.findall(text)))
