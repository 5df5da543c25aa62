"""`keyleash doctor`: is this clone really protected, and if not, why?

A hook that is not there says nothing. This looks at every link of the chain: where git
looks for hooks, whether it can run what stands there, whether that runs Keyleash, and
whether Keyleash can run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

from scanner import cache, config
from scanner.commands import hookfiles
from scanner.commands.hookfiles import LEGACY, STAGES, Place
from scanner.commands.install import clone
from scanner.errors import ScanError
from scanner.gitcommand import Repository
from scanner.sinks.escape import visible

OLDEST_GIT = (2, 31)
_PATIENCE = 60.0
_IDS = {
    "keyleash": {"pre-commit", "pre-merge-commit", "manual"},
    "keyleash-push": {"pre-push"},
    "keyleash-commit-msg": {"commit-msg"},
}
"""The hooks of `.pre-commit-hooks.yaml` and their stages."""

_GUARDS = {"pre-commit": "commits", "commit-msg": "messages", "pre-push": "pushes"}


class Check(NamedTuple):
    """One answer. `level` is `ok`, `note` for what makes the guard weaker or slower, `no` for what leaves a stage open."""

    level: str
    what: str
    said: str


def run(options: argparse.Namespace) -> int:
    """Print every answer and return 0 for a clone whose commits are guarded, else 1."""
    repository = clone(options.path)
    place = hookfiles.place(repository)
    stages = {stage: guard(repository, place, stage) for stage in STAGES}
    checks = [*basics(repository), *stages.values()]
    for check in checks:
        print(f"{check.level:<5} {check.what}: {visible(check.said)}")
    broken = [check for check in checks if check.level == "no" and check.what not in STAGES]
    guarded = [_GUARDS[stage] for stage, check in stages.items() if check.level != "no" and not broken]
    open_ = [words for words in _GUARDS.values() if words not in guarded]
    if "commits" not in guarded:
        print(f"\nThis clone is NOT protected{f': only {_and(guarded)} are guarded' if guarded else ''}.")
        return 1
    print(f"\nThis clone is protected: {_and(guarded)} are guarded{f', {_and(open_)} are not' if open_ else ''}.")
    return 0


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def basics(repository: Repository) -> Iterator[Check]:
    """Yield what holds for all stages."""
    said = repository.run("version").decode("utf-8", "replace").strip()
    found = re.search(r"(\d+)\.(\d+)", said)
    recent = found is not None and (int(found[1]), int(found[2])) >= OLDEST_GIT
    oldest = ".".join(map(str, OLDEST_GIT))
    yield Check("ok", "git", said) if recent else Check("no", "git", f"{said} is too old: at least {oldest} is needed")
    yield _rules(repository)
    folder = cache.folder()
    if not _writable(folder):
        yield Check("note", "cache", f"{folder} cannot be written by you alone, so every run reads and compiles all rules anew")
    if repository.is_shallow():
        yield Check("note", "history", "the clone is shallow: hooks work, 'keyleash scan' says that it is incomplete")


def _rules(repository: Repository) -> Check:
    from scanner.engine import open_engine
    from scanner.rules import load_builtin

    try:
        settings = config.load(None, repository.work_tree)
        rules = settings.rules(load_builtin())
        settings.excluded()
        engine = open_engine(rules).name
    except ScanError as problem:
        return Check("no", "rules", f"every hook stops with this: {problem}")
    if engine == "regex":
        return Check("note", "rules", f"{len(rules.rules)} on the plain engine, which is slow; pip install hyperscan")
    return Check("ok", "rules", f"{len(rules.rules)} on {engine}")


def _writable(folder: str) -> bool:
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    mine = not hasattr(os, "geteuid") or not os.path.isdir(cache.folder()) or not os.stat(folder).st_mode & 0o022
    return mine and os.access(folder, os.W_OK)


def guard(repository: Repository, place: Place, stage: str) -> Check:
    """Say whether git runs Keyleash at a stage."""
    file = os.path.join(place.folder, stage)
    content = hookfiles.read(file)
    if content is None:
        return Check("no", stage, _missing(place, stage, file))
    if os.name != "nt" and not os.access(file, os.X_OK):
        return Check("no", stage, f"{file} is not executable, so git leaves it out: chmod +x {file}")
    if place.husky:
        return _husky(place.file(stage), stage)
    return _runs(repository, file, content, stage)


def _missing(place: Place, stage: str, file: str) -> str:
    here = f"; 'keyleash install --stage {stage}' writes it"
    elsewhere = os.path.join(place.usual, stage)
    if place.folder != place.usual and hookfiles.runs_keyleash(hookfiles.read(elsewhere) or b""):
        return (
            f"{elsewhere} runs keyleash, but core.hooksPath (set in {place.setting}) has git look in {place.folder} only{here}"
        )
    return f"there is no {file}{here}"


def _husky(file: str, stage: str) -> Check:
    content = hookfiles.read(file)
    if os.environ.get("HUSKY") == "0":
        return Check("no", stage, "HUSKY=0 in this environment switches its hooks off")
    if content is None or not hookfiles.runs_keyleash(content):
        return Check(
            "no", stage, f"Husky runs {file}, which does not run keyleash; 'keyleash install --stage {stage}' puts it in"
        )
    return _on_path(f"{file}, by Husky,", stage)


def _runs(repository: Repository, file: str, content: bytes, stage: str) -> Check:
    if hookfiles.is_ours(content):
        return _ours(file, content, stage)
    if b"generated by pre-commit" in content:
        legacy = hookfiles.read(file + LEGACY)
        if legacy and hookfiles.is_ours(legacy) and os.access(file + LEGACY, os.X_OK):
            return _ours(file + LEGACY, legacy, stage)
        return _pre_commit(repository, file, content, stage)
    if hookfiles.runs_keyleash(content):
        return _on_path(file, stage)
    return Check("no", stage, f"{file} is another program's and does not name keyleash; 'keyleash install' lets both run")


def _ours(file: str, content: bytes, stage: str) -> Check:
    python = hookfiles.interpreter(content)
    if python and os.access(python, os.X_OK):
        if _answers([python, "-P", "-m", "scanner", "--version"]):
            return Check("ok", stage, f"{file} runs keyleash with {python}")
        return Check("no", stage, f"{python} has no keyleash any more; run 'keyleash install' with the one that has")
    check = _on_path(file, stage)
    return (
        check
        if check.level == "ok"
        else check._replace(said=f"{python}, which {file} runs, is gone; run 'keyleash install' again")
    )


def _on_path(file: str, stage: str) -> Check:
    found = shutil.which("keyleash")
    if found is None:
        return Check("no", stage, f"{file} runs keyleash, which is not on PATH, so every commit is refused")
    if not _answers([found, "--version"]):
        return Check("no", stage, f"{file} runs {found}, which does not work")
    return Check("ok", stage, f"{file} runs {found}")


def _answers(command: list[str]) -> bool:
    try:
        result = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and result.stdout.startswith(b"keyleash ")


def _pre_commit(repository: Repository, file: str, content: bytes, stage: str) -> Check:
    """Say whether pre-commit's own hook leads to ours."""
    python = hookfiles.interpreter(content)
    if not (python and os.access(python, os.X_OK)) and not shutil.which("pre-commit"):
        return Check("no", stage, f"{python}, which {file} runs, is gone, and pre-commit is not on PATH")
    named = re.search(rb"--config=([^\s)'\"]+)", content)
    name = os.fsdecode(named[1]) if named else ".pre-commit-config.yaml"
    hooks, problem = _configured(os.path.join(repository.work_tree or "", name))
    if problem:
        return Check("no", stage, f"{name}: {problem}")
    ids = [id for id, stages, _ in hooks if stage in stages]
    if not ids:
        wanted = next(id for id, stages in _IDS.items() if stage in stages)
        return Check("no", stage, f"pre-commit runs, but {name} has no hook '{wanted}' at this stage; add it")
    skipped = set(os.environ.get("SKIP", "").split(","))
    if skipped.issuperset(ids):
        return Check("no", stage, f"SKIP in this environment has pre-commit leave out {_and(ids)}")
    narrow = [fields for id, stages, fields in hooks if stage in stages and fields]
    if narrow:
        return Check("note", stage, f"{file} runs {_and(ids)} through pre-commit; {name} narrows it by {_and(narrow[0])}")
    more = "; of several refs pushed at once pre-commit looks at the first alone" if stage == "pre-push" else ""
    return Check("note" if more else "ok", stage, f"{file} runs {_and(ids)} through pre-commit{more}")


def _configured(file: str) -> tuple[list[tuple[str, set[str], list[str]]], str]:
    """Return our hooks in a configuration of pre-commit: id, stages, and the fields that leave files out. Or a problem."""
    import yaml

    try:
        with open(file, "rb") as stream:
            data = yaml.safe_load(stream.read(1 << 20))
        found = []
        for repo in data["repos"]:
            for hook in repo["hooks"]:
                if hook["id"] in _IDS or re.search(r"\bkeyleash hook\b", str(hook.get("entry", ""))):
                    found.append((hook["id"], _stages(data, hook), _narrowing(data, hook)))
    except OSError as problem:
        return [], f"cannot be read: {problem.strerror}"
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return [], "is no configuration of pre-commit; 'pre-commit validate-config' says why"
    return found, ""


def _stages(data: dict[str, Any], hook: dict[str, Any]) -> set[str]:
    stages = hook.get("stages") or _IDS.get(hook["id"]) or data.get("default_stages") or STAGES
    return {{"commit": "pre-commit", "push": "pre-push"}.get(stage, stage) for stage in stages}


def _narrowing(data: dict[str, Any], hook: dict[str, Any]) -> list[str]:
    fields = [f"'{name}'" for name in ("files", "exclude", "types", "types_or", "exclude_types") if hook.get(name)]
    return fields + [f"'{name}' for all hooks" for name in ("files", "exclude") if data.get(name)]
