"""What is dropped after it has matched, and what is not."""

from __future__ import annotations

import random
import string

import pytest

from scanner.engine import open_engine
from scanner.examples import expand
from scanner.filters import COMMENTS, name_in_code, reason_to_drop
from scanner.model import NO_POLICY, Blob, Chunk, Match, Origin, Policy, RuleSet
from scanner.pipeline import matches
from tests.conftest import Find, Secrets


def match_of(rules: RuleSet, rule: str, secret: bytes) -> Match:
    (found,) = [one for one in rules.rules if one.id == rule]
    return Match(found, 0, len(secret), secret, (), "high", "high")


@pytest.mark.parametrize(
    "word", ["password", "mypassword", "your_password", "Secret123", "changeme", "super-secret-token", "test_pass1"]
)
def test_a_word_that_stands_for_a_password_is_dropped(rules: RuleSet, word: str) -> None:
    match = match_of(rules, "netrc-password", word.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret)) == "is a word that stands for a password"


@pytest.mark.parametrize("word", ["Kq7passwordX!", "tr0ub4dor&3", "correct-horse-battery"])
def test_a_password_with_a_word_in_it_stands(rules: RuleSet, word: str) -> None:
    match = match_of(rules, "netrc-password", word.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret)) is None


def counted(step: int, size: int = 32) -> str:
    return bytes(number * step % 256 for number in range(size)).hex()


@pytest.mark.parametrize(
    "text", [counted(1), counted(-1), counted(16, 16), f"0x{counted(1)}", counted(1).upper(), counted(1, 8)]
)
def test_bytes_that_count_are_a_placeholder(rules: RuleSet, text: str) -> None:
    match = match_of(rules, "generic-api-key", text.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret))


@pytest.mark.parametrize("text", [counted(37, 16)[:-2] + "5b", "9f86d081884c7d659a2feaa0c55ad015", "Kq7Äx9Wz2Lm4Äp"])
def test_bytes_that_do_not_are_none(rules: RuleSet, text: str) -> None:
    match = match_of(rules, "generic-api-key", text.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret)) is None


FILLERS = [
    "sk_live_" + "x" * 24,
    "sk_live_your-own-key",
    "sk_live_1234567890abcdefghijklmn",
    "sk_live_51" + "Ab9" * 5 + "0" * 8 + "Qz7Lk",
    "sk_live_" + "EXAMPLE" + "k3Y9" * 5,
]


@pytest.mark.parametrize("token", FILLERS)
def test_a_token_made_up_by_hand_is_dropped(rules: RuleSet, token: str) -> None:
    match = match_of(rules, "stripe-secret-key", token.encode())
    assert (
        reason_to_drop(match, Chunk(match.secret, match.secret))
        == "holds a filler or a run of characters, as a placeholder does"
    )


NAMES = {
    "toss-payments-test-secret-key": "test_sk_LogisticRegressionWithL2Penalty",
    "seam-api-key": "seam_test1A_ReturnsCorrectResultForDevices",
    "lichess-api-token": "lip_UpperLeftCorner1Pos2",
    "creem-api-key": "creem_CheckoutSessionCreate2",
    "dub-api-key": "dub_WorkspaceDomainVerification2",
    "wompi-test-signing-secret": "test_events_HandlerReceivesStripeWebhookV1",
    "blockfrost-project-id": "previewDocumentRenderingServiceImplV2ab",
}


@pytest.mark.parametrize("rule", NAMES)
def test_a_name_in_code_is_no_token(rules: RuleSet, rule: str) -> None:
    match = match_of(rules, rule, NAMES[rule].encode())
    assert str(reason_to_drop(match, Chunk(match.secret, match.secret))).startswith("reads as a name in code")


def test_nearly_no_random_token_is_taken_for_a_name(rules: RuleSet) -> None:
    source = random.Random(11)
    match = match_of(rules, "dub-api-key", b"")
    letters = string.ascii_letters + string.digits
    tokens = ["".join(source.choices(letters, k=source.choice((16, 20, 24, 32)))).encode() for _ in range(20_000)]
    dropped = [one for one in tokens if name_in_code(match._replace(secret=one), Chunk(one, one), NO_POLICY)]
    assert len(dropped) < 4


def test_a_key_that_documentation_shows_everyone_is_dropped(rules: RuleSet) -> None:
    match = match_of(rules, "stripe-test-key", b"sk_test_" + b"BQokikJOvBiI" + b"2HlWgH4olfQ2")
    assert reason_to_drop(match, Chunk(match.secret, match.secret)) == "is published in its provider's documentation"


def test_nearly_no_random_token_is_taken_for_a_filler(rules: RuleSet) -> None:
    """Of 20,000 tokens fewer than one in 5,000, and none for a run of A, which is base64 of zeros."""
    source = random.Random(7)
    kinds = ["{{alnum:99}}", "{{urlsafe:93}}", "{{secret:80}}", "{{hex:64}}", "AAAAAAAAAAAAAAAAAAAAA{{alnum:80}}"]
    dropped = 0
    for number in range(20_000):
        match = match_of(rules, "stripe-secret-key", expand(kinds[number % 5], source.getrandbits(64)).encode())
        dropped += reason_to_drop(match, Chunk(match.secret, match.secret)) is not None
    assert dropped < 4


@pytest.mark.parametrize(
    "secret",
    [
        "xoxb-" + "0" * 12 + "-" + "0" * 12 + "-" + "aB3" * 8,
        "dapi" + "12345678" + "90ab1cde2f3ab456c7d89efa",
        "ghs_" + "YourInstallationTokenGoesHere1234567".replace("Your", "your"),
        "sk" + "xXxXxXxX" * 4,
        "abcd1234" * 5,
        "dop_v1_" + "a7bbe7e8af7411ec912e47a270a2ee7c" * 2,
    ],
)
def test_a_made_up_value_is_dropped(rules: RuleSet, secret: str) -> None:
    match = match_of(rules, "npm-access-token", secret.encode())
    assert reason_to_drop(match, Chunk(match.secret, match.secret))


ALLOWED = {
    "on the line": "key = '<ID>'  # keyleash:allow\n",
    "on the line before": "# keyleash:allow\nkey = '<ID>'\n",
    "with the rule": "key = '<ID>'  # keyleash:allow aws-access-key-id\n",
    "with a reason": "key = '<ID>'  # keyleash:allow aws-access-key-id, revoked in 2019\n",
    "with two rules": "key = '<ID>'  // keyleash:allow private-key, aws-access-key-id\n",
    "before, in XML": "<!-- keyleash:allow -->\n<key><ID></key>\n",
}
NOT_ALLOWED = {
    "another rule": "key = '<ID>'  # keyleash:allow private-key\n",
    "two lines before": "# keyleash:allow\n\nkey = '<ID>'\n",
    "the line behind": "key = '<ID>'\n# keyleash:allow\n",
    "another word": "key = '<ID>'  # keyleash: allow\n",
}


@pytest.mark.parametrize("form", ALLOWED)
def test_a_comment_allows_a_match(form: str, find: Find, secrets: Secrets) -> None:
    assert find(ALLOWED[form].replace("<ID>", secrets.aws_id())) == []


@pytest.mark.parametrize("form", NOT_ALLOWED)
def test_a_comment_allows_no_more_than_it_says(form: str, find: Find, secrets: Secrets) -> None:
    assert len(find(NOT_ALLOWED[form].replace("<ID>", secrets.aws_id()))) == 1


FOREIGN = {
    "gitleaks": ("key = '<ID>'  # gitleaks:allow\n", "# gitleaks:allow\nkey = '<ID>'\n"),
    "detect-secrets": ("# pragma: allowlist nextline secret\nkey = '<ID>'\n", "# pragma: allowlist secret\nkey = '<ID>'\n"),
    "trufflehog": ("key: <ID>  # trufflehog:ignore\n", "# trufflehog:ignore\nkey = '<ID>'\n"),
    "nosec": ("key = '<ID>'  # nosec B105\n", "key = '<ID>'  # nosecret\n"),
}


@pytest.mark.parametrize("name", COMMENTS)
def test_another_scanner_s_comment_counts_where_it_is_switched_on(name: str, rules: RuleSet, secrets: Secrets) -> None:
    engine = open_engine(rules)

    def found(text: str, *comments: str) -> int:
        blob = Blob(text.replace("<ID>", secrets.aws_id()).encode(), Origin("test"))
        return len(list(matches(blob, engine, rules._replace(policy=Policy(comments=comments)))))

    counts, does_not = FOREIGN[name]
    assert found(counts, name) == 0
    assert found(counts) == 1
    assert found(counts, *(other for other in COMMENTS if other != name)) == 1
    assert found(does_not, name) == 1


def test_the_other_comments_of_detect_secrets_and_ruff(rules: RuleSet, secrets: Secrets) -> None:
    engine = open_engine(rules)
    policy = Policy(comments=("detect-secrets", "nosec"))
    for comment in (
        "# pragma: allowlist secret",
        "// pragma: whitelist secret",
        "/* pragma: allowlist secret */",
        "# noqa: S105",
    ):
        text = f"key = '{secrets.aws_id()}'  {comment}\n"
        assert list(matches(Blob(text.encode(), Origin("test")), engine, rules._replace(policy=policy))) == [], comment


def test_a_comment_beside_an_encoded_value_counts(find: Find, secrets: Secrets) -> None:
    import base64

    value = base64.b64encode(secrets.aws_file().encode()).decode()
    assert find(f"data: {value}\n") != []
    assert find(f"data: {value}  # keyleash:allow\n") == []
    assert find(f"# keyleash:allow aws-access-key-id, aws-secret-access-key\ndata: {value}\n") == []
    assert find(f"data: {value}\n# keyleash:allow\n") != []


@pytest.mark.parametrize("reason", ["(a well-known value)", ", well-known", ": it is old"])
def test_a_reason_is_no_rule(reason: str, find: Find, secrets: Secrets) -> None:
    assert find(f"key = '{secrets.aws_id()}'  # keyleash:allow{reason if reason[0] in ',:' else ' ' + reason}\n") == []
