"""The configuration: what is accepted and what is refused, in which words, what it does, and that the schema says the same."""

from __future__ import annotations

import json
import os
import time
import tomllib
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import jsonschema
import pytest
import yaml

from scanner import config
from scanner.config import Config
from scanner.config.file import FIELDS, MOST, read
from scanner.errors import ConfigError
from scanner.examples import expand
from scanner.filters import COMMENTS
from scanner.model import LEVELS, Limits
from scanner.rules import _OPTIONAL, _REQUIRED, load_builtin
from tests.conftest import ROOT, SLOW, Repo, Secrets, imported_by_hook, keyleash
from tests.test_rules import GOOD

SCHEMA = json.loads((ROOT / "scanner" / "data" / "keyleash-config.schema.json").read_text())
OWN = "rules:\n  own:\n" + "\n".join("  " + line for line in GOOD.strip().splitlines()) + "\n"

ACCEPTED = {
    "nothing": "",
    "a comment": "# nothing yet\n",
    "rules off": "rules:\n  disable: [private-key, aws-session-token]\n",
    "rules on": "rules:\n  enable: [private-key]\n",
    "an own rule": OWN,
    "an own rule switched off": OWN + "  disable: [acme-badge]\n",
    "paths": "paths:\n  exclude: ['vendor/', '!vendor/ours', '*.sample', '\\#odd', 'a\\\\x1b']\n",
    "patterns": "exclude:\n  secrets: ['^test_', 'é+']\n  lines: ['(?i)do not use']\n  stopwords: [dummy]\n",
    "comments": f"comments: [{', '.join(COMMENTS)}]\n",
    "one threshold": "block: high\n",
    "thresholds by use": "block:\n  hook: critical\n  scan: low\n  ci: medium\n",
    "limits": "limits: {encodings: 0, archives: 16, members: 10, archive-bytes: 1000}\n",
    "everything empty": "rules: {enable: [], disable: [], files: [], own: []}\npaths: {}\nexclude: {}\ncomments: []\n",
}
REFUSED: dict[str, tuple[str, str]] = {
    "a list": ("- rules\n", ":1: a configuration is a mapping, with keys extends, rules"),
    "an unknown section": ("rule: {}\n", ":1: field 'rule' is not known (did you mean 'rules'?)"),
    "an unknown key": (
        "rules:\n  disable: []\n  disabled: []\n",
        ":3: field 'rules.disabled' is not known (did you mean 'disable'",
    ),
    "a section that is a list": ("rules: [a]\n", ":1: field 'rules' must be a mapping, with keys enable, disable"),
    "a text where a list is due": ("paths:\n  exclude: vendor/\n", ":2: field 'paths.exclude' must be a list of texts"),
    "a number in a list": ("rules:\n  disable: [1]\n", ":2: field 'rules.disable' must be a list of texts"),
    "an empty text": ("exclude:\n  stopwords: ['']\n", ":2: field 'exclude.stopwords' must be a list of texts"),
    "a severity that is none": (
        "block: hihg\n",
        ":1: field 'block' must be one of low, medium, high, critical (did you mean 'high'",
    ),
    "a use that is none": ("block:\n  hooks: low\n", ":2: field 'block.hooks' is not known (did you mean 'hook'?)"),
    "a limit that is none": ("limits:\n  archives: many\n", ":2: field 'limits.archives' must be a number from 0 to 16"),
    "a limit without bounds": ("limits:\n  archives: 99\n", ":2: field 'limits.archives' must be a number from 0 to 16"),
    "a limit below nothing": ("limits: {members: -1}\n", ":1: field 'limits.members' must be a number"),
    "a yes for a number": ("limits: {members: true}\n", ":1: field 'limits.members' must be a number"),
    "comments of nobody": ("comments: [gitleak]\n", ":1: field 'comments': 'gitleak' is not one of gitleaks, detect-secrets"),
    "an own rule that is a text": ("rules:\n  own: [x]\n", ":2: field 'rules.own' must be a list of rules"),
    "an own rule without a reason": (
        OWN.replace("    why: It opens the door.\n", ""),
        ":3: rule 'acme-badge': field 'why': is missing",
    ),
    "a base that is a number": ("extends: 1\n", ":1: field 'extends' must be a list of texts"),
    "a baseline that is a list": ("baseline: [a]\n", ":1: field 'baseline' must be the name of a file"),
}
"""What the schema refuses too."""

WRONG: dict[str, tuple[str, str]] = {
    "no YAML": ("rules:\n  disable: [a\nb: ]: c\n", ":3: not valid YAML"),
    "a merge key": ("a: &a {x: 1}\nb:\n  <<: *a\n", ":3: not valid YAML: the merge key '<<' is not read"),
    "a key that stands twice": ("paths:\n  exclude: []\npaths: {}\n", ":3: not valid YAML: the key 'paths' stands twice"),
    "an unknown rule": (
        "rules:\n  disable: [private-kye]\n",
        ":2: field 'rules.disable': no rule is called 'private-kye' (did you mean 'private-key'?)",
    ),
    "no rule left": ("rules:\n  enable: [private-key]\n  disable: [private-key]\n", "no rule is left"),
    "a path that is no pattern": ("paths:\n  exclude: ['!']\n", ":2: field 'paths.exclude'"),
    "a path of Windows": ("paths:\n  exclude:\n  - 'a\\b'\n", ":3: field 'paths.exclude': a path is written with '/'"),
    "a pattern that is none": ("exclude:\n  secrets:\n  - 'a'\n  - '('\n", ":4: field 'exclude.secrets': is not a pattern"),
    "a pattern for everything": (
        "exclude: {lines: ['.*']}\n",
        ":1: field 'exclude.lines': matches the empty text, and so",
    ),
    "a base that is missing": ("extends: no.yaml\n", ":1: field 'extends': there is no file no.yaml"),
    "rules that are missing": ("rules: {files: [no.yaml]}\n", ":1: field 'rules.files': there is no file no.yaml"),
    "a base outside": (
        "extends: ../outside.yaml\n",
        ":1: field 'extends': ../outside.yaml leads out of the repository; copy",
    ),
    "rules outside": ("rules: {files: [/etc/passwd]}\n", ":1: field 'rules.files': /etc/passwd leads out of the repository"),
    "a base behind a link": ("extends: link.yaml\n", ":1: field 'extends': link.yaml leads out of the repository"),
    "a baseline outside": ("baseline: ~/b.yaml\n", ":1: field 'baseline': ~/b.yaml leads out of the repository"),
    "itself": ("extends: .keyleash.yaml\n", ":1: field 'extends' leads back to itself: .keyleash.yaml → .keyleash.yaml"),
}
"""What only reading it can tell."""


def load(repo: Repo, text: str) -> Config:
    repo.write(".keyleash.yaml", text)
    return config.load(None, str(repo.path))


def valid(text: str) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_is_accepted_by_the_schema_too_and_kept(name: str, repo: Repo) -> None:
    assert valid(ACCEPTED[name])
    fresh = load(repo, ACCEPTED[name])
    kept = config.load(None, str(repo.path))
    assert kept == fresh
    counted = fresh._replace(digests=("", "")).rules(load_builtin())
    assert kept.rules(load_builtin()) == counted


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_the_schema_too(name: str, repo: Repo) -> None:
    text, said = REFUSED[name]
    assert not valid(text)
    with pytest.raises(ConfigError) as problem:
        load(repo, text)
    assert f".keyleash.yaml{said}" in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_by_file_line_and_field(name: str, repo: Repo) -> None:
    text, said = WRONG[name]
    (repo.path.parent / "outside.yaml").write_text("sec-" + "ret: 1\n")
    (repo.path / "link.yaml").symlink_to(repo.path.parent / "outside.yaml")
    repo.write(".keyleash.yaml", text)
    result = keyleash("scan", "--no-history", repo.path)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "sec-ret" not in result.stderr


def test_the_schema_names_what_the_program_knows() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    fields = SCHEMA["properties"]
    assert list(fields) == list(FIELDS)
    for section in ("rules", "paths", "exclude", "limits"):
        assert list(fields[section]["properties"]) == list(FIELDS[section])
    assert {name: row["maximum"] for name, row in fields["limits"]["properties"].items()} == MOST
    assert [row["default"] for row in fields["limits"]["properties"].values()] == list(Limits())
    assert fields["comments"]["items"]["enum"] == list(COMMENTS)
    assert fields["block"]["anyOf"][0]["enum"] == list(LEVELS)
    assert set(_REQUIRED) == set(SCHEMA["$defs"]["rule"]["required"])
    assert set(_REQUIRED) | set(_OPTIONAL) >= set(SCHEMA["$defs"]["rule"]["properties"])
    assert json.loads(keyleash("config", "schema").stdout) == SCHEMA


def test_pyproject_says_the_same(repo: Repo, secrets: Secrets) -> None:
    table = '[tool.keyleash]\nblock = "high"\n\n[tool.keyleash.rules]\ndisable = ["private-key"]\n'
    repo.write("pyproject.toml", '[project]\nname = "x"\n' + table)
    assert valid(json.dumps(tomllib.loads(table)["tool"]["keyleash"]))
    found = config.load(None, str(repo.path))
    assert (found.disable, found.threshold("hook")) == (("private-key",), "high")
    repo.write("pyproject.toml", table.replace("disable", "disabled"))
    with pytest.raises(
        ConfigError, match=r"pyproject.toml:5: field 'rules.disabled' is not known \(did you mean 'disable'\?\)"
    ):
        config.load(None, str(repo.path))
    repo.write("pyproject.toml", table + "x = [\n")
    with pytest.raises(ConfigError, match=r"pyproject.toml:\d+: not valid TOML$|pyproject.toml: not valid TOML$"):
        config.load(None, str(repo.path))
    repo.write("pyproject.toml", table)
    repo.write(".keyleash.yaml", "")
    with pytest.raises(ConfigError, match=r"pyproject.toml: \[tool.keyleash\] stands here, and .*/.keyleash.yaml is there too"):
        config.load(None, str(repo.path))
    repo.write("pyproject.toml", '[project]\ndependencies = ["keyleash"]\n')
    assert config.load(None, str(repo.path))._replace(file="", digests=("", "")) == Config()


def test_own_rules_of_pyproject_are_named_by_their_line(repo: Repo) -> None:
    rule = yaml.safe_load(GOOD)[0]
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in rule.items())
    repo.write("pyproject.toml", f"[[tool.keyleash.rules.own]]\n{lines}\n")
    assert [one.id for one in config.load(None, str(repo.path)).own] == ["acme-badge"]
    repo.write("pyproject.toml", f"[[tool.keyleash.rules.own]]\n{lines}\nx = 1\n")
    with pytest.raises(ConfigError, match=r"pyproject.toml:1: rule 'acme-badge': field 'x': is not known"):
        config.load(None, str(repo.path))


def test_a_base_is_extended_and_the_nearest_counts(repo: Repo) -> None:
    repo.write(
        "security/org.yaml", "extends: deeper/base.yaml\nblock: high\nrules:\n  disable: [private-key]\n  files: [own.yaml]\n"
    )
    repo.write("security/own.yaml", GOOD)
    repo.write("security/deeper/base.yaml", "limits: {archives: 1}\nblock: {ci: critical}\ncomments: [gitleaks]\n")
    text = "extends: security/org.yaml\nblock:\n  hook: medium\nrules:\n  disable: [aws-session-token]\ncomments: [nosec]\n"
    found = load(repo, text)
    assert found.disable == ("private-key", "aws-session-token")
    assert [rule.id for rule in found.own] == ["acme-badge"]
    assert [found.threshold(use) for use in ("hook", "scan", "ci")] == ["medium", "high", "high"]
    assert found.policy.comments == ("gitleaks", "nosec")
    assert found.policy.limits.archives == 1
    shown = keyleash("config", "show", repo.path).stdout
    for line in (
        "    medium   .keyleash.yaml:3",
        "    high   security/org.yaml:2",
        "    private-key         security/org.yaml:4",
        "    aws-session-token   .keyleash.yaml:5",
        "    1   security/deeper/base.yaml:1",
        "    5   default",
    ):
        assert line in shown.splitlines()

    repo.write("security/deeper/base.yaml", "limits: {archives: 2}\n")
    assert config.load(None, str(repo.path)).policy.limits.archives == 2  # what is kept is not believed for an older base
    repo.write("security/deeper/base.yaml", "extends: ../../.keyleash.yaml\n")
    with pytest.raises(ConfigError, match=r"base.yaml:1: field 'extends' leads back to itself: .keyleash.yaml → security"):
        config.load(None, str(repo.path))


def test_a_file_of_the_organisation_is_read_where_the_machine_trusts_it(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "org.yaml").write_text("rules: {files: [../far/own.yaml]}\n")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "own.yaml").write_text(GOOD)
    repo.write(".keyleash.yaml", "extends: ../trusted/org.yaml\n")
    with pytest.raises(ConfigError, match="leads out of the repository"):
        config.load(None, str(repo.path))
    monkeypatch.setenv("KEYLEASH_TRUST", f"{os.pathsep}{tmp_path / 'trusted'}")
    assert [rule.id for rule in config.load(None, str(repo.path)).own] == ["acme-badge"]
    monkeypatch.delenv("KEYLEASH_TRUST")
    with pytest.raises(ConfigError, match="leads out of the repository"):  # nor is it kept
        config.load(None, str(repo.path))
    # A file that the user names and that is not the repository's may extend whatever it likes.
    assert [rule.id for rule in config.load(str(tmp_path / "trusted" / "org.yaml"), str(repo.path)).own] == ["acme-badge"]


def test_what_a_team_leaves_out_is_no_finding_and_is_said(repo: Repo, secrets: Secrets) -> None:
    ids = [secrets.aws_id() for _ in range(4)]
    repo.write("a.txt", f"{ids[0]}\n{ids[1]}  retired in 2019\n{ids[2]}\n{ids[3]}  # gitleaks:allow\n")

    def scan(text: str) -> tuple[list[int], list[str]]:
        repo.write(".keyleash.yaml", text)
        report = json.loads(keyleash("scan", "--no-history", "-f", "json", repo.path).stdout)
        lines = [where["line"] for finding in report["findings"] for where in finding["locations"]]
        return sorted(lines), report["coverage"]["notes"]

    assert scan("")[0] == [1, 2, 3, 4]
    assert scan(f"exclude: {{secrets: ['^{ids[0]}$']}}\n") == ([2, 3, 4], [".keyleash.yaml leaves out: 1 pattern of secrets"])
    assert scan("exclude: {lines: ['retired in [0-9]{4}', '^#']}\n") == (
        [1, 3, 4],
        [".keyleash.yaml leaves out: 2 patterns of lines"],
    )
    assert scan(f"exclude: {{stopwords: ['{ids[2][6:14].lower()}']}}\n")[0] == [1, 2, 4]
    assert scan("comments: [gitleaks]\n") == ([1, 2, 3], [".keyleash.yaml leaves out: what comments of gitleaks allow"])


def test_a_built_in_rule_that_is_replaced_is_said(repo: Repo, secrets: Secrets) -> None:
    """A rule of that name which finds nothing switches the other off as `disable` does."""
    repo.write("rules.yaml", GOOD.replace("acme-badge", "aws-access-key-id"))
    repo.write("a.txt", f"{secrets.aws_id()}\n")
    repo.write(".keyleash.yaml", "rules: {files: [rules.yaml]}\n")
    result = keyleash("scan", "--no-history", repo.path)
    assert "leaves out: the built-in rules aws-access-key-id, for which it has others" in result.stdout


@pytest.mark.parametrize("text", ["[" * 50_000, "- " * 50_000, "{a: " * 50_000, "? " * 50_000], ids=["[", "-", "{", "?"])
def test_what_is_nested_too_deeply_is_refused(repo: Repo, text: str) -> None:
    """libyaml overran the stack, and the process ended by a signal."""
    for name in (".keyleash.yaml", ".keyleash-baseline.yaml", "rules.yaml"):
        repo.write(name, text)
        command = ("rules", "check", "rules.yaml") if name == "rules.yaml" else ("scan", "--no-history")
        result = keyleash(*command, cwd=repo.path)
        assert (result.returncode, "not valid YAML" in result.stderr) == (2, True), result.stderr[-300:]
        (repo.path / name).unlink()


def test_a_team_s_pattern_that_takes_too_long_is_a_skipped_input(repo: Repo) -> None:
    repo.write("own.yaml", GOOD.replace("[0-9]{12}", "[0-9]{64}").replace("{{digits:12}}", "{{digits:64}}"))
    repo.write(".keyleash.yaml", "rules: {files: [own.yaml]}\nexclude: {secrets: ['^([0-9]|[0-9][0-9])+[!?]']}\n")
    repo.write("a.txt", "ACME-" + expand("{{digits:64}}") + "\n")
    result = keyleash("scan", "--no-history", "--rule", "acme-badge", repo.path)
    assert result.returncode == 2
    assert "Skipped: a.txt: rule 'acme-badge' took too long on this text" in result.stdout


def test_a_limit_of_the_team_holds_and_what_it_leaves_is_skipped(repo: Repo, secrets: Secrets) -> None:
    import io
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.env", secrets.aws_file())
    repo.write("a.zip", data.getvalue())
    assert keyleash("scan", "--no-history", repo.path).returncode == 1
    repo.write(".keyleash.yaml", "limits: {archives: 0}\n")
    result = keyleash("scan", "--no-history", repo.path)
    assert (result.returncode, "a.zip, in zip: is more than 0 archives deep" in result.stdout) == (2, True)
    repo.write(".keyleash.yaml", "limits: {members: 0}\n")
    assert "has more than 0 members" in keyleash("scan", "--no-history", repo.path).stdout


def test_what_is_below_the_threshold_is_reported_and_does_not_count(repo: Repo, secrets: Secrets) -> None:
    repo.stage("a.txt", f"key = {secrets.aws_id()}\n")  # a lone id: medium
    repo.write(".keyleash.yaml", "block:\n  hook: high\n  scan: critical\n")
    hook = keyleash("hook", cwd=repo.path)
    assert hook.returncode == 0
    assert "keyleash lets this commit pass, with what is less severe than 'high':" in hook.stderr
    assert "a.txt:1:7" in hook.stderr
    scan = keyleash("scan", "--no-history", repo.path)
    assert scan.returncode == 0
    assert "It is below 'critical', the least severity that counts for the exit code here." in scan.stdout
    assert keyleash("scan", "--no-history", "--fail-on", "low", repo.path).returncode == 1
    repo.stage("b.txt", secrets.aws_file())
    stopped = keyleash("hook", cwd=repo.path)
    assert stopped.returncode == 1
    assert "1 of them is below 'high'" in stopped.stderr
    report = json.loads(keyleash("scan", "--no-history", "-f", "json", repo.path).stdout)
    assert report["fail_on"] == "critical"


def test_config_show_without_a_configuration(repo: Repo) -> None:
    result = keyleash("config", "show", cwd=repo.path)
    assert result.returncode == 0
    assert "the defaults hold" in result.stdout
    assert keyleash("config", "show", "nowhere", cwd=repo.path).returncode == 2


def test_a_configuration_costs_the_hook_no_slow_import(repo: Repo) -> None:
    repo.write(".keyleash.yaml", "rules: {disable: [private-key]}\npaths: {exclude: [vendor/]}\nexclude: {secrets: [x]}\n")
    repo.stage("a.txt", "clean\n")
    assert keyleash("hook", cwd=repo.path).returncode == 0
    modules = imported_by_hook(repo)
    assert "scanner.config" in modules
    assert not (SLOW | {"tomllib", "regex", "hashlib"}) & modules
    assert "scanner.config.file" not in modules


def test_the_page_on_configuration_shows_one_that_is_right(repo: Repo) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    assert valid(text)
    assert {name for name in FIELDS if f"\n{name}:" in text} == set(FIELDS)
    repo.write("security/organisation.yaml", "")
    repo.write("security/own-rules.yaml", GOOD.replace("acme-badge", "acme-other"))
    assert [rule.id for rule in load(repo, text).own] == ["acme-other", "acme-badge"]
    page = (ROOT / "docs" / "configuration.md").read_text()
    for name in COMMENTS:
        assert f"| `{name}` |" in page


BOMBED = ("block: {hook: BOMB}", "block: BOMB", "rules: {own: [{id: BOMB}]}", "comments: [BOMB]", "extends: BOMB", "BOMB: 1")


@pytest.mark.parametrize("place", BOMBED)
def test_a_few_lines_that_stand_for_gigabytes_are_refused_at_once(place: str, repo: Repo) -> None:
    bomb = "[&l0 x" + "".join(f", &l{n} [*l{n - 1}, *l{n - 1}]" for n in range(1, 40)) + "]"
    start = time.process_time()
    with pytest.raises(ConfigError) as problem:
        load(repo, place.replace("BOMB", bomb) + "\n")
    assert time.process_time() - start < 2
    assert len(str(problem.value)) < 500


PIECES = ["", "\n", " ", "x: ", "- ", "{", "[", '"', "\0", "*", "0", "("]
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 5)), max_size=3)
TEXTS = st.sampled_from([*ACCEPTED.values(), *(text for text, _ in REFUSED.values())])


@hypothesis.settings(max_examples=30, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(text=TEXTS, changes=CHANGES)
def test_whatever_a_configuration_says_is_understood_or_refused(
    repo: Repo, text: str, changes: list[tuple[float, str, int]]
) -> None:
    for place, fresh, gone in changes:
        at = int(place * len(text))
        text = text[:at] + fresh + text[at + gone :]
    for name in (".keyleash.yaml", "keyleash.toml"):
        file = repo.write(name, text)
        try:
            read([str(file)], str(repo.path))
        except ConfigError as problem:
            assert "\n" not in str(problem)
