"""Rules for keys without a form of their own: found in every syntax that names the provider, and not under another's name."""

from __future__ import annotations

import re

import pytest

from scanner.engine import open_engine
from scanner.examples import expand
from scanner.model import Blob, Origin, RuleSet, Skipped
from scanner.pipeline import matches

SYNTAXES = {
    "environment": "{UPPER}={value}",
    "exported": 'export {UPPER}="{value}"',
    "properties": "{lower} = {value}",
    "XML attribute": '<add key="{lower}" value="{value}" />',
    "XML element": "<{lower}>{value}</{lower}>",
    "JSON": '{{"{UPPER}": "{value}"}}',
    "JSON in a string": '"{{\\"{UPPER}\\": \\"{value}\\"}}"',
    "name and value": '{{"name": "{UPPER}", "value": "{value}"}}',
    "Kubernetes": '- name: {UPPER}\n  value: "{value}"',
    "Compose": "      - {UPPER}={value}",
    "Dockerfile": "ENV {UPPER} {value}",
    "docker run": "docker run -e {UPPER}={value} image",
    "flag": "--{kebab} {value}",
    "flag and =": "--{kebab}={value}",
    "Terraform": 'variable "{lower}" {{\n  default = "{value}"\n}}',
    "Python": "os.environ['{UPPER}'] = '{value}'",
    "Python's other value": 'os.getenv("{UPPER}", "{value}")',
    "Go": 'os.Setenv("{UPPER}", "{value}")',
    "JavaScript": 'const key = process.env.{UPPER} || "{value}"',
    "PHP": "define('{UPPER}', '{value}');",
    "C": '#define {UPPER} "{value}"',
    "Objective-C": '#define {UPPER} @"{value}"',
    "Groovy": "environment {{ {UPPER} = '{value}' }}",
    "Markdown": "| {UPPER} | `{value}` |",
    "YAML": "{head}:\n  {tail}: {value}",
    "YAML, further down": '{head}:\n  enabled: true\n  {tail}: "{value}"',
    "INI": "[{head}]\n{tail}={value}",
    "Ruby": ":{head} => {{ :{tail} => '{value}' }}",
    "camel case": "const {camel} = '{value}';",
    "TypeScript": "const {camel}: string = '{value}';",
}


def named(rules: RuleSet) -> list[tuple[str, str, str]]:
    """Return (rule, variable, value) of each rule that looks for a name before its value and has an example `NAME=value`."""
    found = []
    for rule in rules.rules:
        if "(?P<secret>(?-i:" not in rule.pattern or not rule.anchors[0].startswith("(?is)"):
            continue
        for template in rule.examples:
            match = re.fullmatch(r"([A-Z0-9_]+)=(\S+)", expand(template))
            if match:
                found.append((rule.id, match[1], match[2]))
                break
    return found


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_named_key_is_found_in_every_syntax(syntax: str, rules: RuleSet) -> None:
    engine = open_engine(rules)
    missed = []
    cases = named(rules)
    assert len(cases) > 50
    for rule, upper, value in cases:
        lower = upper.lower()
        head, _, tail = lower.partition("_")
        text = SYNTAXES[syntax].format(
            UPPER=upper, lower=lower, kebab=lower.replace("_", "-"), head=head, tail=tail, value=value,
            camel=re.sub("_(.)", lambda letter: letter[1].upper(), lower),
        )  # fmt: skip
        results = list(matches(Blob(text.encode(), Origin("test")), engine, rules))
        if not any(not isinstance(result, Skipped) and result[0].rule.id == rule for result in results):
            missed.append((rule, text))
    assert missed == []


@pytest.mark.parametrize("lines", [
    "SPOTIFY_CLIENT_ID={id}\nFACEBOOK_APP_SECRET={secret}\n",
    "env:\n  SPOTIFY_CLIENT_ID: {id}\n  FACEBOOK_APP_SECRET: {secret}\n",
    '{{\n  "SPOTIFY_CLIENT_ID": "{id}",\n  "FACEBOOK_APP_SECRET": "{secret}"\n}}\n',
])  # fmt: skip
def test_a_key_goes_by_its_own_provider_s_name_and_not_by_that_of_the_line_before(lines: str, rules: RuleSet) -> None:
    text = lines.format(id=expand("{{hex:32}}"), secret=expand("x{{hex:32}}")[1:])
    results = list(matches(Blob(text.encode(), Origin("test")), open_engine(rules), rules))
    assert [result[0].rule.id for result in results if not isinstance(result, Skipped)] == ["facebook-app-secret"]
