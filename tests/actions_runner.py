"""A small runner of composite actions, as GitHub's is: it reads `action.yml` and runs its steps with bash.

What it knows is what the documentation says of contexts, of the environment and of the
files through which a step hands on outputs and a summary; an expression it does not know
is an error. Sources: https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax,
.../variables, .../contexts and .../workflow-commands.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Annotation(NamedTuple):
    level: str
    properties: dict[str, str]
    message: str


class Outcome(NamedTuple):
    """What GitHub would show of a run: its exit code, what it printed, annotations, summary and outputs."""

    code: int
    log: str
    annotations: list[Annotation]
    summary: str
    outputs: dict[str, str]


class Runner:
    """Runs the action in `action` (a folder with `action.yml`) on the checkout in `workspace`."""

    def __init__(self, action: Path, workspace: Path, temp: Path, environment: dict[str, str]) -> None:
        self.action, self.workspace, self.temp = action, workspace, temp
        self.definition = yaml.safe_load((action / "action.yml").read_text())
        self.environment = environment
        temp.mkdir(parents=True, exist_ok=True)

    def run(self, event_name: str, event: dict[str, Any], sha: str, ref: str, inputs: dict[str, str] | None = None) -> Outcome:
        given = dict(inputs or {})
        declared = {name: str(field.get("default", "")) for name, field in self.definition["inputs"].items()}
        assert given.keys() <= declared.keys(), "GitHub warns of an input that is not declared"
        context = {f"inputs.{name}": value for name, value in (declared | given).items()}
        context["github.action_path"] = str(self.action)
        files = Path(tempfile.mkdtemp(prefix="file_commands-", dir=self.temp))
        (files / "event.json").write_text(json.dumps(event))
        job = self._job(event_name, sha, ref, str(files / "event.json"))
        log, code, summary = "", 0, ""
        for number, step in enumerate(self.definition["runs"]["steps"]):
            said, code, outputs, told = self._step(number, step, context, job, files)
            log, summary = log + said, summary + told
            context |= {f"steps.{step.get('id')}.outputs.{name}": value for name, value in outputs.items()}
            if code:
                break
        results = {name: self._evaluate(field["value"], context) for name, field in self.definition["outputs"].items()}
        return Outcome(code, log, read_annotations(log), summary, results)

    def _job(self, event_name: str, sha: str, ref: str, event: str) -> dict[str, str]:
        return self.environment | {
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event_name, "GITHUB_EVENT_PATH": event,
            "GITHUB_SHA": sha, "GITHUB_REF": ref, "GITHUB_REPOSITORY": "octo/hello", "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_ACTION_PATH": str(self.action), "RUNNER_OS": "Linux", "RUNNER_TEMP": str(self.temp),
        }  # fmt: skip

    def _step(
        self, number: int, step: dict[str, Any], context: dict[str, str], job: dict[str, str], files: Path
    ) -> tuple[str, int, dict[str, str], str]:
        assert step.keys() <= {"name", "id", "shell", "env", "run"}, "a key that this runner does not know"
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script is text of the script"
        script, output, summary = (files / f"{name}{number}" for name in ("script", "output", "summary"))
        script.write_text(step["run"])
        output.write_text("")
        summary.write_text("")
        env = {name: self._evaluate(str(value), context) for name, value in step.get("env", {}).items()}
        result = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], cwd=self.workspace, check=False,
            env=job | env | {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        log = result.stdout.decode("utf-8", "surrogateescape")
        return log, result.returncode, _outputs(output.read_text()), summary.read_text()

    def _evaluate(self, text: str, context: dict[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1].strip()
            assert name in context or re.fullmatch(r"steps\.\w+\.outputs\.[\w-]+", name), f"unknown expression: {name}"
            return context.get(name, "")  # an output that was never set is empty

        return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def _outputs(text: str) -> dict[str, str]:
    """Read a file of outputs: `name=value` lines, or `name<<DELIMITER` and lines up to it."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        if heredoc := re.fullmatch(r"([^=<]+)<<(.+)", line):
            value = []
            for part in lines:
                if part == heredoc[2]:
                    break
                value.append(part)
            found[heredoc[1]] = "\n".join(value)
        else:
            name, equals, content = line.partition("=")
            assert equals, f"the runner fails on this line: {line}"
            found[name] = content
    return found


def read_annotations(log: str) -> list[Annotation]:
    """Read workflow commands; a line is one only if it begins so."""
    found = []
    for line in log.split("\n"):
        match = re.fullmatch(r"::(error|warning|notice)(?: ([^:]*))?::(.*)", line.rstrip("\r"))
        if match:
            parts = (part.split("=", 1) for part in (match[2] or "").split(",") if part)
            properties = {name: _unescaped(value.replace("%3A", ":").replace("%2C", ",")) for name, value in parts}
            found.append(Annotation(match[1], properties, _unescaped(match[3])))
    return found


def _unescaped(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def environment(*path: str) -> dict[str, str]:
    """What a step finds in its environment beside what the runner sets, with folders put first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "RUNNER_", "PYTHON", "CI"))}
    return kept | {"PATH": os.pathsep.join([*path, os.environ["PATH"]])}
