"""docs/ci.md: each snippet is what its service reads, and each command in it is one that Keyleash has."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner.cli import parser
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "ci.md").read_text()
SNIPPETS = re.findall(r"^```yaml\n# ([a-z -]+)\n(.*?)^```", PAGE, re.S | re.M)
SERVICES = [
    "azure-pipelines",
    "bitbucket-pipelines",
    "buildkite",
    "circle-ci",
    "drone-ci",
    "gitlab-ci",
    "travis",
    "woodpecker-ci",
]


def texts(value: Any) -> list[str]:
    """Every text in a document, however deep."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


def commands(lines: list[str]) -> list[list[str]]:
    """The arguments of each `keyleash` that a shell would run."""
    found = []
    for line in lines:
        for part in re.split(r"&&|\n|;", line):
            words = shlex.split(part)
            if len(words) > 1 and words[0].rpartition("/")[2] == "keyleash":
                found.append(words[1:])
    return found


def keeps_schema(name: str, file: Path) -> None:
    """Hold a file against the schema that its service (or SchemaStore) publishes."""
    result = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--regex-variant=nonunicode", f"--builtin-schema=vendor.{name}", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_service_has_a_snippet() -> None:
    assert sorted({kind for kind, _ in SNIPPETS}) == sorted([*SERVICES, "github", "github steps"])
    assert PAGE.count("```yaml") == len(SNIPPETS)


@pytest.mark.parametrize(("kind", "text"), [pair for pair in SNIPPETS if not pair[0].startswith("github")])
def test_a_snippet_runs_a_command_that_exists(kind: str, text: str) -> None:
    found = commands(texts(yaml.safe_load(text)))
    assert found
    assert all(parser("ci").parse_args(command).command == "ci" for command in found)


def test_the_jenkinsfile_runs_a_command_that_exists() -> None:
    (text,) = re.findall(r"```groovy\n(.*?)```", PAGE, re.S)
    assert text.count("{") == text.count("}")
    (command,) = commands(re.findall(r"sh '([^']*)'", text))
    assert parser("ci").parse_args(command).sarif_file == "keyleash.sarif"


@pytest.mark.parametrize(("kind", "text"), [pair for pair in SNIPPETS if pair[0] != "github steps"])
def test_a_snippet_keeps_the_schema_of_its_service(kind: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file.yml").write_text(text)
    keeps_schema({"github": "github-workflows"}.get(kind, kind), tmp_path / "file.yml")


def test_the_steps_for_github_fit_a_workflow(tmp_path: Path) -> None:
    (steps,) = [yaml.safe_load(text) for kind, text in SNIPPETS if kind == "github steps"]
    workflow = yaml.safe_load(next(text for kind, text in SNIPPETS if kind == "github"))
    workflow["on"] = workflow.pop(True, None) or workflow["on"]  # YAML 1.1 reads `on` as a truth
    workflow["jobs"]["keyleash"]["steps"] += steps
    (tmp_path / "file.yml").write_text(json.dumps(workflow))
    keeps_schema("github-workflows", tmp_path / "file.yml")


def test_inputs_and_outputs_are_those_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    github = PAGE[PAGE.index("## GitHub Actions") : PAGE.index("## GitLab CI")]
    rows = [row.split("|")[1] for row in re.findall(r"^\| `.*", github, re.M)]
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == {*action["inputs"], *action["outputs"]}
    uses = [step for kind, text in SNIPPETS if kind == "github"
            for step in yaml.safe_load(text)["jobs"]["keyleash"]["steps"] if "keyleash/" in step["uses"]]  # fmt: skip
    assert len(uses) == 2
    assert all(set(step.get("with", {})) <= set(action["inputs"]) for step in uses)


def test_the_action_says_what_the_command_says() -> None:
    """Each input that is an option exists, and no input shows a secret."""
    options = {text for action in parser("ci")._actions for choice in (action.choices or {}) for text in [choice]}
    assert options == {"ci"}
    help_text = subprocess.run(
        [sys.executable, "-m", "scanner", "ci", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    script = (ROOT / "action.yml").read_text()
    used = set(re.findall(r'"?(--[a-z-]+)=?"?\$?', script[script.index("arguments=(") :]))
    assert used
    assert all(option in help_text for option in used - {"--"})
    assert "--show-secrets" not in help_text
