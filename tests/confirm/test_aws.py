"""AWS credentials in the forms in which people leak them, each with a near miss that is no credential."""

from __future__ import annotations

import base64
import random

import pytest

from scanner.confirm.aws import account_of, plausible_secret
from scanner.examples import expand
from tests.confirm import leaks
from tests.conftest import Find, Secrets

# ruff: noqa: E501 - a form is easier to read in one line

# The id and the secret are to be found in each form, as one pair.
PAIRS = {
    "env file": "AWS_ACCESS_KEY_ID=<ID>\nAWS_SECRET_ACCESS_KEY=<SECRET>\n",
    "shell export": "export AWS_ACCESS_KEY_ID='<ID>'\nexport AWS_SECRET_ACCESS_KEY='<SECRET>'\n",
    "shell one line": "AWS_ACCESS_KEY_ID=<ID> AWS_SECRET_ACCESS_KEY=<SECRET> ./deploy.sh\n",
    "fish": "set -gx AWS_ACCESS_KEY_ID <ID>\nset -gx AWS_SECRET_ACCESS_KEY <SECRET>\n",
    "aws configure set": "aws configure set aws_access_key_id <ID>\naws configure set aws_secret_access_key <SECRET>\n",
    "aws configure dialog": "AWS Access Key ID [None]: <ID>\nAWS Secret Access Key [None]: <SECRET>\nDefault region name [None]: eu-west-1\n",
    "credentials file": "[default]\naws_access_key_id = <ID>\naws_secret_access_key = <SECRET>\n\n[other]\nregion = eu-west-1\n",
    "credentials file, reversed": "[prod]\naws_secret_access_key=<SECRET>\naws_access_key_id=<ID>\n",
    "boto config": "[Credentials]\naws_access_key_id = <ID>\naws_secret_access_key = <SECRET>\n[Boto]\ndebug = 0\n",
    "console CSV": "User name,Password,Access key ID,Secret access key,Console login link\nteam7,,<ID>,<SECRET>,https://1.signin\n",
    "console CSV, new": "Access key ID,Secret access key\n<ID>,<SECRET>\n",
    "console CSV, quoted": '"User Name","Access Key Id","Secret Access Key"\n"team7","<ID>","<SECRET>"\n',
    "rootkey.csv": "AWSAccessKeyId=<ID>\nAWSSecretKey=<SECRET>\n",
    "rootkey.csv, CRLF": "AWSAccessKeyId=<ID>\r\nAWSSecretKey=<SECRET>\r\n",
    "semicolon CSV": "user;key;secret\nteam7;<ID>;<SECRET>\n",
    "tab separated": "team7\t<ID>\t<SECRET>\n",
    "two lines alone": "<ID>\n<SECRET>\n",
    "two lines alone, reversed": "<SECRET>\n\n<ID>\n",
    "one line with a colon": "<ID>:<SECRET>\n",
    "s3fs password file": "mybucket:<ID>:<SECRET>\n",
    "s3cmd": "[default]\naccess_key = <ID>\nbucket_location = US\nsecret_key = <SECRET>\nuse_https = True\n",
    "rclone": "[s3]\ntype = s3\nprovider = AWS\naccess_key_id = <ID>\nsecret_access_key = <SECRET>\nregion = us-east-1\n",
    "sts JSON": '{"Credentials": {\n "AccessKeyId": "<ID>",\n "SecretAccessKey": "<SECRET>",\n "SessionToken": "<TOKEN>",\n "Expiration": "x"}}',
    "create-access-key JSON": '{"AccessKey": {"UserName": "t", "AccessKeyId": "<ID>", "Status": "Active", "SecretAccessKey": "<SECRET>"}}',
    "boto3 by keyword": "s3 = boto3.client('s3', aws_access_key_id='<ID>', aws_secret_access_key='<SECRET>')\n",
    "boto3 over lines": 'boto3.Session(\n    aws_access_key_id="<ID>",\n    aws_secret_access_key="<SECRET>",\n)\n',
    "boto by position": "conn = S3Connection('<ID>', '<SECRET>')\n",
    "boto connect": "conn = boto.connect_s3('<ID>',\n                       '<SECRET>')\n",
    "python constants": "ACCESS = '<ID>'\nSECRET = '<SECRET>'\n",
    "python dict": "{'key': '<ID>', 'secret': '<SECRET>'}\n",
    "django settings": "AWS_S3_ACCESS_KEY_ID = '<ID>'\nAWS_S3_SECRET_ACCESS_KEY = '<SECRET>'\n",
    "ruby": "Aws.config.update(credentials: Aws::Credentials.new('<ID>', '<SECRET>'))\n",
    "ruby fog": ":aws_access_key_id => '<ID>',\n:aws_secret_access_key => '<SECRET>'\n",
    "rails storage.yml": "amazon:\n  service: S3\n  access_key_id: <ID>\n  secret_access_key: <SECRET>\n  region: us-east-1\n",
    "rails secrets.yml": "production:\n  aws_key: <ID>\n  aws_secret: <SECRET>\n",
    "paperclip": "s3_credentials: {\n  bucket: 'b',\n  access_key_id: '<ID>',\n  secret_access_key: '<SECRET>'\n}\n",
    "java": 'AWSCredentials c = new BasicAWSCredentials("<ID>", "<SECRET>");\n',
    "java builder": 'AwsBasicCredentials.create(\n    "<ID>",\n    "<SECRET>");\n',
    "java constants": 'private static final String ACCESS_KEY = "<ID>";\nprivate static final String SECRET_KEY = "<SECRET>";\n',
    "spring properties": "cloud.aws.credentials.accessKey=<ID>\ncloud.aws.credentials.secretKey=<SECRET>\n",
    "spring yaml": "cloud:\n  aws:\n    credentials:\n      access-key: <ID>\n      secret-key: <SECRET>\n",
    "javascript": "AWS.config.update({ accessKeyId: '<ID>', secretAccessKey: '<SECRET>', region: 'us-east-1' });\n",
    "javascript v3": 'new S3Client({ credentials: {\n    accessKeyId: "<ID>",\n    secretAccessKey: "<SECRET>" } })\n',
    "typescript env": "process.env.AWS_ACCESS_KEY_ID = '<ID>';\nprocess.env.AWS_SECRET_ACCESS_KEY = '<SECRET>';\n",
    "go": 'credentials.NewStaticCredentials("<ID>", "<SECRET>", "")\n',
    "go struct": 'aws.Credentials{\n\tAccessKeyID:     "<ID>",\n\tSecretAccessKey: "<SECRET>",\n}\n',
    "php": "$s3 = new S3Client(['credentials' => ['key' => '<ID>', 'secret' => '<SECRET>']]);\n",
    "php define": "define('AWS_ACCESS_KEY_ID', '<ID>');\ndefine('AWS_SECRET_ACCESS_KEY', '<SECRET>');\n",
    "php serialised": 's:3:"key";s:20:"<ID>";s:6:"secret";s:40:"<SECRET>";',
    "c#": 'var c = new BasicAWSCredentials("<ID>", "<SECRET>");\n',
    "web.config": '<add key="AWSAccessKey" value="<ID>" />\n<add key="AWSSecretKey" value="<SECRET>" />\n',
    "appsettings.json": '{"AWS": {"AccessKey": "<ID>", "SecretKey": "<SECRET>"}}',
    "terraform": 'provider "aws" {\n  region     = "us-west-2"\n  access_key = "<ID>"\n  secret_key = "<SECRET>"\n}\n',
    "tfvars": 'aws_access_key="<ID>"\naws_secret_key="<SECRET>"\n',
    "terraform state": '"attributes": {"id": "<ID>", "secret": "<SECRET>", "ses_smtp_password": "", "status": "Active"}',
    "cloudformation": "Environment:\n  Variables:\n    KEY: <ID>\n    SECRET: <SECRET>\n",
    "serverless": "provider:\n  environment:\n    ACCESS_KEY: <ID>\n    SECRET_KEY: <SECRET>\n",
    "ansible": "- s3:\n    aws_access_key: <ID>\n    aws_secret_key: <SECRET>\n",
    "helm values": "aws:\n  accessKey: <ID>\n  secretKey: <SECRET>\n",
    "helm --set": "helm install x --set s3.accessKey=<ID> --set s3.secretKey=<SECRET>\n",
    "kubernetes stringData": "kind: Secret\nstringData:\n  AWS_ACCESS_KEY_ID: <ID>\n  AWS_SECRET_ACCESS_KEY: <SECRET>\n",
    "kubernetes env": "env:\n- name: AWS_ACCESS_KEY_ID\n  value: <ID>\n- name: AWS_SECRET_ACCESS_KEY\n  value: <SECRET>\n",
    "docker-compose list": "environment:\n  - AWS_ACCESS_KEY_ID=<ID>\n  - AWS_SECRET_ACCESS_KEY=<SECRET>\n",
    "docker-compose map": "environment:\n  AWS_ACCESS_KEY_ID: <ID>\n  AWS_SECRET_ACCESS_KEY: <SECRET>\n",
    "dockerfile ENV =": "FROM x\nENV AWS_ACCESS_KEY_ID=<ID> AWS_SECRET_ACCESS_KEY=<SECRET>\n",
    "dockerfile ENV space": "FROM x\nENV AWS_ACCESS_KEY_ID <ID>\nENV AWS_SECRET_ACCESS_KEY <SECRET>\n",
    "docker run": "docker run -e AWS_ACCESS_KEY_ID=<ID> -e AWS_SECRET_ACCESS_KEY=<SECRET> image\n",
    "hadoop XML": "<property><name>fs.s3a.access.key</name><value><ID></value></property>\n"
    "<property>\n <name>fs.s3a.secret.key</name>\n <value><SECRET></value>\n</property>\n",
    "spark": "spark.hadoop.fs.s3a.access.key <ID>\nspark.hadoop.fs.s3a.secret.key <SECRET>\n",
    "spark code": 'sc.hadoopConfiguration.set("fs.s3n.awsAccessKeyId", "<ID>")\n'
    'sc.hadoopConfiguration.set("fs.s3n.awsSecretAccessKey", "<SECRET>")\n',
    "s3n URL": "s3n://<ID>:<SECRET>@bucket/path\n",
    "URL with a slash encoded": "s3://<ID>:<SECRET>@s3.amazonaws.com/b\n",
    "ini": "[s3]\nkey=<ID>\nsecret=<SECRET>\n",
    "toml": '[default.s3]\naccess_key = "<ID>"\nsecret_key = "<SECRET>"\n',
    "powershell": '$env:AWS_ACCESS_KEY_ID = "<ID>"\n$env:AWS_SECRET_ACCESS_KEY = "<SECRET>"\n',
    "powershell cmdlet": "Set-AWSCredential -AccessKey <ID> -SecretKey <SECRET> -StoreAs default\n",
    "batch": "set AWS_ACCESS_KEY_ID=<ID>\r\nset AWS_SECRET_ACCESS_KEY=<SECRET>\r\n",
    "windows setx": "setx AWS_ACCESS_KEY_ID <ID>\nsetx AWS_SECRET_ACCESS_KEY <SECRET>\n",
    "elastic beanstalk": "option_settings:\n  - option_name: AWS_ACCESS_KEY_ID\n    value: <ID>\n"
    "  - option_name: AWS_SECRET_KEY\n    value: <SECRET>\n",
    "eb setenv": "eb setenv AWS_ACCESS_KEY_ID=<ID> AWS_SECRET_KEY=<SECRET>\n",
    "jenkins": "withEnv(['AWS_ACCESS_KEY_ID=<ID>', 'AWS_SECRET_ACCESS_KEY=<SECRET>']) {\n",
    "travis": "env:\n  global:\n    - AWS_ACCESS_KEY_ID=<ID>\n    - AWS_SECRET_ACCESS_KEY=<SECRET>\n",
    "curl": 'curl --user "<ID>:<SECRET>" --aws-sigv4 "aws:amz:us-east-1:s3" https://s3.amazonaws.com\n',
    "notebook": '{"source": ["ACCESS_KEY = \'<ID>\'\\n", "SECRET_KEY = \'<SECRET>\'\\n"], "cell_type": "code"}',
    "notebook output": "\"text\": [\n \"{'AccessKeyId': '<ID>',\\n\",\n \" 'SecretAccessKey': '<SECRET>'}\\n\"\n]",
    "markdown table": "| user | access key | secret key |\n|---|---|---|\n| team7 | <ID> | <SECRET> |\n",
    "markdown list": "* Access key: `<ID>`\n* Secret key: `<SECRET>`\n",
    "html table": "<tr><td><ID></td><td><SECRET></td></tr>\n",
    "mail": "Hi team,\n\nyour Access Key ID is <ID> and your\nSecret Access Key is <SECRET>\n\nRegards\n",
    "mail with labels": "Access key ID: <ID>\nSecret access key: <SECRET>\n",
    "mail with labels above": "Access key ID\n<ID>\nSecret access key\n<SECRET>\n",
    "chat": "[10:32] bob: here are the keys <ID> / <SECRET> pls delete\n",
    "log line": "2026-01-01 INFO config loaded accessKey=<ID> secretKey=<SECRET> region=eu\n",
    "escaped JSON in a string": '"body": "{\\"accessKeyId\\":\\"<ID>\\",\\"secretAccessKey\\":\\"<SECRET>\\"}"',
    "escaped line feeds": '"file": "[default]\\naws_access_key_id=<ID>\\naws_secret_access_key=<SECRET>\\n"',
    "escaped line feed before the value": '"file": "<ID>\\n<SECRET>\\n"',
    "perl": "my $aws = { id => '<ID>', key => '<SECRET>' };\n",
    "lisp": '(setq aws-id "<ID>" aws-secret "<SECRET>")\n',
    "scala": 'val accessKey = "<ID>"\nval secretKey = "<SECRET>"\n',
    "swift": 'AWSStaticCredentialsProvider(accessKey: "<ID>", secretKey: "<SECRET>")\n',
    "objective-c": '[[AmazonS3Client alloc] initWithAccessKey:@"<ID>" withSecretKey:@"<SECRET>"];\n',
    "r": 'Sys.setenv("AWS_ACCESS_KEY_ID" = "<ID>",\n           "AWS_SECRET_ACCESS_KEY" = "<SECRET>")\n',
    "matlab": "setenv('AWS_ACCESS_KEY_ID', '<ID>'); setenv('AWS_SECRET_ACCESS_KEY', '<SECRET>');\n",
    "sql": "COPY t FROM 's3://b' CREDENTIALS 'aws_access_key_id=<ID>;aws_secret_access_key=<SECRET>';\n",
    "redshift": "ACCESS_KEY_ID '<ID>'\nSECRET_ACCESS_KEY '<SECRET>'\n",
    "snowflake": "CREDENTIALS = (AWS_KEY_ID = '<ID>' AWS_SECRET_KEY = '<SECRET>')\n",
    "elasticsearch": "bin/elasticsearch-keystore add s3.client.default.access_key <ID>\nsecret_key <SECRET>\n",
    "logstash": 's3 {\n  access_key_id => "<ID>"\n  secret_access_key => "<SECRET>"\n}\n',
    "fluentd": "<match>\n  aws_key_id <ID>\n  aws_sec_key <SECRET>\n</match>\n",
    "duplicity": "export AWS_ACCESS_KEY_ID=<ID>; export AWS_SECRET_ACCESS_KEY=<SECRET>; duplicity / s3://x\n",
    "commented": "# aws_access_key_id = <ID>\n# aws_secret_access_key = <SECRET>\n",
    "commented in C": "// key: <ID>\n// secret: <SECRET>\n",
    "diff": "+aws_access_key_id = <ID>\n+aws_secret_access_key = <SECRET>\n",
    "far in one block": "aws_access_key_id = <ID>\n" + "option = value\n" * 18 + "aws_secret_access_key = <SECRET>\n",
    "camel case far": "{\n  accessKeyId: '<ID>',\n" + "  other: 1,\n" * 8 + "  secret: '<SECRET>',\n}\n",
    "plist": "<key>AWSAccessKey</key>\n<string><ID></string>\n<key>AWSSecretKey</key>\n<string><SECRET></string>\n",
    "android strings": '<string name="aws_id"><ID></string>\n<string name="aws_secret"><SECRET></string>\n',
    "gradle": 'credentials(AwsCredentials) {\n  accessKey "<ID>"\n  secretKey "<SECRET>"\n}\n',
    "maven settings": "<server><username><ID></username><password><SECRET></password></server>\n",
    "git remote": "codecommit <ID> <SECRET>\n",
    "minified": "var a=1;" * 500 + '!function(){o.config={accessKeyId:"<ID>",secretAccessKey:"<SECRET>"}}();' + "b();" * 500,
    "python split by +": "key = '<ID>'\nsecret = '<SECRET_A>' + '<SECRET_B>'\n",
    "java split over lines": 'String id = "<ID>";\nString secret = "<SECRET_A>"\n    + "<SECRET_B>";\n',
    "python adjacent literals": "dict(aws_access_key_id='<ID>', aws_secret_access_key=('<SECRET_A>'\n    '<SECRET_B>'))\n",
    "id split by +": "id = '<ID_A>' + '<ID_B>'\naws_secret_access_key = '<SECRET>'\n",
    "js split with single quotes": "accessKeyId: '<ID>',\nsecretAccessKey: '<SECRET_A>' +\n '<SECRET_B>'\n",
    **leaks.PAIRS,
}


def fill(template: str, key_id: str, secret: str, token: str = "") -> str:
    values = {"<SECRET>": secret, "<SECRET_A>": secret[:17], "<SECRET_B>": secret[17:], "<TOKEN>": token,
              "<ID>": key_id, "<ID_A>": key_id[:9], "<ID_B>": key_id[9:]}  # fmt: skip
    for name, value in values.items():
        template = template.replace(name, value)
    return template


@pytest.mark.parametrize("form", PAIRS)
def test_a_pair_is_found_in_every_form(form: str, find: Find, secrets: Secrets) -> None:
    key_id, secret = secrets.aws_id(), secrets.aws_secret()
    text = fill(PAIRS[form], key_id, secret, "IQoJb3JpZ2lu" + secret * 5)
    found = {match.rule.id: match for match in find(text)}
    assert "aws-access-key-id" in found, text
    assert "aws-secret-access-key" in found, text
    assert found["aws-access-key-id"].secret == key_id.encode()
    pair = found["aws-secret-access-key"]
    assert pair.secret == secret.encode()
    assert (pair.severity, pair.confidence) == ("critical", "high")
    assert any(key_id[-4:] in evidence for evidence in pair.evidence)
    span = text.encode()[pair.start : pair.end].decode()
    assert span == secret or (span.startswith(secret[:17]) and span.endswith(secret[17:]))


ALONE = {
    "env file": "AWS_SECRET_ACCESS_KEY=<SECRET>\n",
    "JSON": '{"secretAccessKey": "<SECRET>"}',
    "camel case": "awsSecretKey: '<SECRET>'\n",
    "spoken": "The AWS secret access key is <SECRET> for now\n",
    "XML name and value": "<name>fs.s3a.secret.key</name>\n  <value><SECRET></value>\n",
    "terraform": 'aws_secret_key = "<SECRET>"\n',
    "kebab": "aws-secret-access-key=<SECRET>\n",
    "kubernetes env": "- name: AWS_SECRET_ACCESS_KEY\n  value: <SECRET>\n",
    "quoted and escaped": '"{\\"aws_secret_access_key\\": \\"<SECRET>\\"}"',
    "constant": 'public static final String AWS_SECRET_KEY = "<SECRET>";\n',
    **leaks.ALONE,
}


@pytest.mark.parametrize("form", ALONE)
def test_a_lone_secret_is_believed_by_its_name_with_less_confidence(form: str, find: Find, secrets: Secrets) -> None:
    secret = secrets.aws_secret()
    (match,) = find(fill(ALONE[form], "", secret))
    assert match.secret == secret.encode()
    assert (match.rule.id, match.confidence, match.severity) == ("aws-secret-access-key", "medium", "high")


NEAR_MISSES = {
    "a SHA-1 named secret": "aws_secret_hash = {{hex:40}}\n",
    "a SHA-1 beside an id": "AKIAZ{{base32:15}} {{hex:40}}\n",
    "an upper-case digest": "AWS_SECRET = 0123456789ABCDEF0123456789ABCDEF01234567\n",
    "a path": "aws_secret_key = src/main/java/com/acme/AwsSecretKey12Bean\n",
    "an identifier": "aws.secret = someVeryLongCamelCaseIdentifierOfTheCode1\n",
    "a reference": "AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY}\nsecret_key = os.environ['AWS_SECRET_ACCESS_KEY']\n",
    "a placeholder": "aws_secret_access_key = XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\n",
    "a placeholder in words": "aws_secret_access_key = YOUR/SECRET/ACCESS/KEY/GOES/IN/HERE/1234\n",
    "too long": "aws_secret_access_key = {{secret:41}}\n",
    "too short": "aws_secret_access_key = {{secret:39}}\n",
    "padded base64": "aws_secret_access_key = {{secret:40}}==\n",
    "another provider": "facebook_app_secret = {{lower:32}}\nclient_secret = {{alnum:40}}\n",
    "a list of UUIDs": "aws secret 1b4e28ba-2fa1-11d2-883f-0016d3cca427 6fa459ea-ee8a-3ca4-894e-db77e160355e\n",
    "npm integrity": '"integrity": "sha512-{{secret:86}}=="\n',
    "a slice of an image": "\n".join(["AWS secret key logo"] + ["{{secret:76}}"] * 6),
    **leaks.NEAR_MISSES,
}


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_what_only_looks_like_a_secret_is_not_reported(form: str, find: Find) -> None:
    assert [match.rule.id for match in find(expand(NEAR_MISSES[form])) if match.rule.id.startswith("aws-secret")] == []


NO_IDS = {
    "documentation": "AKIAIOSFODNN7" + "EXAMPLE",
    "a user": "AIDAZ{{base32:15}}",
    "a role": "AROAZ{{base32:15}}",
    "a group, a policy, a profile": "AGPAZ{{base32:15}} ANPAZ{{base32:15}} ANVAZ{{base32:15}} AIPAZ{{base32:15}}",
    "too long": "AKIAZ{{base32:16}}",
    "too short": "AKIAZ{{base32:14}}",
    "outside base32": "AKIAZ{{base32:13}}01",
    "lower case": "akiaz{{lower:15}}",
    "in a longer word": "XAKIAZ{{base32:15}}",
    "a placeholder": "AKIAXXXXXXXXXXXXXXXX",
    "the alphabet": "AKIAABCDEFGHIJKLMNOP",
}


@pytest.mark.parametrize("form", NO_IDS)
def test_what_is_no_access_key_id_is_not_reported(form: str, find: Find) -> None:
    assert find(expand(f"id = {NO_IDS[form]}\n")) == []


@pytest.mark.parametrize("prefix", ["AKIA", "ASIA", "ABIA", "ACCA", "A3TX"])
def test_a_lone_id_is_an_identifier(prefix: str, find: Find, secrets: Secrets) -> None:
    key_id = secrets.aws_id(prefix)
    (match,) = find(f"x {key_id} y")
    assert (match.rule.id, match.severity) == ("aws-access-key-id", "medium")
    assert "no secret beside it: it may be elsewhere in the history" in match.evidence


def test_the_account_is_decoded_from_the_id(find: Find) -> None:
    """An account number goes into an id and comes out again: bits 1 to 40 of the base32 part."""
    source = random.Random(7)
    for _ in range(200):
        account = source.randrange(10**12)
        bits = (1 << 79) | (account << 39) | source.getrandbits(39)
        key_id = b"AKIA" + base64.b32encode(bits.to_bytes(10, "big"))
        assert account_of(key_id) == f"{account:012}"
    assert account_of(b"AKIAI" + b"A" * 15) is None


def test_a_canary_is_named_as_such(find: Find) -> None:
    bits = (1 << 79) | (992382622183 << 39) | random.Random(3).getrandbits(39)
    (match,) = find("AKIA" + base64.b32encode(bits.to_bytes(10, "big")).decode())
    assert any("canary" in evidence for evidence in match.evidence)
    assert match.severity == "low"


def test_nearly_every_random_secret_is_plausible() -> None:
    source = random.Random(5)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    refused = sum(not plausible_secret("".join(source.choices(alphabet, k=40)).encode()) for _ in range(20_000))
    assert refused < 40


@pytest.mark.parametrize("line", ["ID aws_secret_access_key {}", "aws ID key: {}", "hunter2 PASS secret={}"])
def test_the_evidence_names_no_credential_that_stands_before_the_name(line: str, find: Find, secrets: Secrets) -> None:
    id, password = secrets.aws_id(), secrets.password()
    said = [
        text
        for match in find(f"aws {line.replace('ID', id).replace('PASS', password).format(secrets.aws_secret())}\n")
        for text in match.evidence
    ]
    assert said
    assert not [text for text in said if id in text or password in text]


@pytest.mark.parametrize("body", ["Z" * 7 + "3DGPUKM4Q", "ZDGPZUZNPQZG4DPZ"])
def test_an_id_may_repeat_a_character(body: str, find: Find, secrets: Secrets) -> None:
    # Regression: the bound on entropy was said to drop one id in a million, and dropped one in 3,000.
    found = find(f"id: AKIA{body}\n")
    assert [match.rule.id for match in found] == ["aws-access-key-id"]


def test_the_secret_of_the_documentation_is_not_an_ids_own(find: Find, secrets: Secrets) -> None:
    documented = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
    (match,) = find(f"aws_access_key_id = {secrets.aws_id()}\naws_secret_access_key = {documented}\n")
    assert match.severity == "medium" and "no secret beside it" in match.evidence[-1]


def test_a_secret_in_an_address_that_begins_with_its_id(find: Find, secrets: Secrets) -> None:
    key_id, secret = secrets.aws_id(), "aB3/" + secrets.aws_secret()[4:]
    text = f"s3n://{key_id}:{secret.replace('/', '%2F')}@bucket/x\n"
    assert secret.encode() in {match.secret for match in find(text) if match.rule.id == "aws-secret-access-key"}


def test_two_profiles_keep_their_own_pairs(find: Find, secrets: Secrets) -> None:
    first, second = (secrets.aws_id(), secrets.aws_secret()), (secrets.aws_id(), secrets.aws_secret())
    text = "".join(
        f"[{name}]\naws_access_key_id = {pair[0]}\naws_secret_access_key = {pair[1]}\n\n"
        for name, pair in {"a": first, "b": second}.items()
    )
    evidence = {match.secret.decode(): " ".join(match.evidence) for match in find(text)}
    assert first[0][-4:] in evidence[first[1]]
    assert second[0][-4:] in evidence[second[1]]
