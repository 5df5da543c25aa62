"""AWS credentials that say of themselves what they are for, whose, and until when."""

from __future__ import annotations

import base64
from datetime import datetime

from scanner.examples import expand
from tests.conftest import Find, Secrets


def test_a_long_term_bedrock_key_says_its_account(find: Find) -> None:
    account = expand("{{digits:12}}")
    inner = f"BedrockAPIKey-x1y2-at-{account}:" + expand("{{secret:60}}")
    key = "ABSK" + base64.b64encode(inner.encode()).decode()
    (match,) = find(f"AWS_BEARER_TOKEN_BEDROCK={key}\n")
    assert match.secret == key.encode()
    assert match.evidence == ("long-term Bedrock API key", f"of account {account}")


def test_a_short_term_bedrock_key_says_signer_and_end(find: Find, secrets: Secrets) -> None:
    key_id = secrets.aws_id("ASIA")
    url = (
        f"bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Credential={key_id}%2F20260101%2Fus-east-1%2Fbedrock"
        f"%2Faws4_request&X-Amz-Date=20260101T100000Z&X-Amz-Expires=43200&X-Amz-Security-Token={'a1B2' * 90}"
        f"&X-Amz-Signature={expand('{{hex:64}}')}"
    )
    key = "bedrock-api-key-" + base64.b64encode(url.encode()).decode()
    (match,) = [match for match in find(f"token={key}") if match.rule.id == "aws-bedrock-api-key"]
    assert match.secret == key.encode()
    assert f"signed with the access key id ASIA…{key_id[-4:]}" in match.evidence
    assert "valid until 2026-01-01 22:00 UTC" in match.evidence


def test_pre_signed_urls_of_both_kinds_say_until_when(find: Find, secrets: Secrets) -> None:
    key_id = secrets.aws_id()
    four = (
        f"https://b.s3.amazonaws.com/k.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key_id}%2F20260101%2Feu-west-1%2Fs3"
        f"%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host"
        f"&X-Amz-Signature={expand('{{hex:64}}')}"
    )
    two = f"https://s3.amazonaws.com/b/k?AWSAccessKeyId={key_id}&Expires=1800000000&Signature={expand('{{alnum:27}}')}%3D"
    for url, until in ((four, "2026-01-08 00:00"), (two, "2027-01-15 08:00"), (two.replace("&", "&amp;"), "2027-01-15 08:00")):
        found = {match.rule.id: match for match in find(f'<a href="{url}">x</a>')}
        assert found["aws-presigned-url"].severity == "low"
        past = datetime.strptime(until, "%Y-%m-%d %H:%M") < datetime.now()
        assert found["aws-presigned-url"].confidence == ("low" if past else "high")
        assert f"valid until {until} UTC" in found["aws-presigned-url"].evidence
        assert found["aws-access-key-id"].secret == key_id.encode()


def test_an_smtp_password_is_told_from_other_base64(find: Find) -> None:
    password = expand("{{ses:44}}")
    (match,) = find(f"EMAIL_HOST=email-smtp.eu-west-1.amazonaws.com\nEMAIL_HOST_PASSWORD={password}\n")
    assert (match.rule.id, match.secret) == ("aws-ses-smtp-password", password.encode())
    assert find(f"digest: {password}\n") == []
    (match,) = find(f"SMTP_PASSWORD=C{password[1:]}\n")
    assert match.rule.generic
