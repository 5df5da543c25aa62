"""install, uninstall and doctor on real clones: what is there goes on and comes back, and nothing open is called guarded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Repo, keyleash
from tests.test_gate import TEXTS, Gate

STAGES = ("pre-commit", "commit-msg", "pre-push")
Result = subprocess.CompletedProcess[str]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    repo = Repo(tmp_path / "clone")
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.commit("a.txt", "x\n")
    return Gate(repo.path)


def hooks(gate: Gate) -> Path:
    return gate.path / ".git" / "hooks"


def hook(file: Path, text: str, mode: int = 0o755) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def state(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Everything that uninstalling has to restore."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        status = path.lstat()
        found[str(path.relative_to(folder))] = (content, status.st_mode, status.st_mtime_ns if path.is_file() else 0)
    return found


def guards(gate: Gate) -> bool:
    """Whether a commit with a credential is refused, by us, and one without passes."""
    gate.stage("k.txt", TEXTS["a new credential"])
    refused = gate.try_commit()
    gate.stage("k.txt", f"clean {len(gate.git('log', '--oneline'))}\n")
    passed = gate.try_commit()
    assert passed.returncode == 0, passed.stderr
    return refused.returncode != 0 and "keyleash stopped this commit" in refused.stderr + refused.stdout


def install(gate: Gate, *options: str) -> Result:
    result = keyleash("install", *options, cwd=gate.path)
    assert result.returncode == 0, result.stderr
    return result


def uninstall(gate: Gate) -> Result:
    result = keyleash("uninstall", cwd=gate.path)
    assert result.returncode == 0, result.stderr
    return result


def test_install_guards_and_uninstall_leaves_nothing(gate: Gate) -> None:
    before = state(hooks(gate))
    assert not guards(gate)
    install(gate)
    install(gate)  # twice is once
    assert guards(gate)
    uninstall(gate)
    assert state(hooks(gate)) == before
    assert "Nothing of Keyleash is installed here" in uninstall(gate).stdout
    assert not guards(gate)


def test_one_stage_alone(gate: Gate) -> None:
    install(gate, "--stage", "pre-push")
    assert [stage for stage in STAGES if (hooks(gate) / stage).exists()] == ["pre-push"]
    assert not guards(gate)


def test_a_hook_that_is_there_runs_first_and_comes_back_exactly(gate: Gate) -> None:
    log = gate.path.parent / "log"
    hook(hooks(gate) / "pre-commit", f'#!{sys.executable}\nopen("{log}", "a").write("old ran\\n")\n', 0o750)
    before = state(hooks(gate))
    install(gate)
    assert guards(gate)
    assert log.read_text() == "old ran\n" * 2
    uninstall(gate)
    assert state(hooks(gate)) == before


def test_a_hook_that_refuses_goes_on_refusing(gate: Gate) -> None:
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\necho not on Fridays >&2\nexit 3\n")
    install(gate)
    gate.stage("b.txt", "x\n")
    result = gate.try_commit()
    assert (result.returncode, result.stderr) == (1, "not on Fridays\n")


def test_what_a_hook_changes_is_what_is_scanned(gate: Gate) -> None:
    """A formatter that stages its result runs before the scan."""
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\ncp ../typed k.txt && git add k.txt\n")
    install(gate)
    (gate.path.parent / "typed").write_text(TEXTS["a new credential"])
    gate.stage("k.txt", "x\n")
    assert "keyleash stopped" in gate.try_commit().stderr


def test_a_push_hook_that_is_there_gets_its_input_and_arguments(gate: Gate) -> None:
    log = gate.path.parent / "log"
    hook(hooks(gate) / "pre-push", f'#!/bin/sh\necho "$@" > {log}\ncat >> {log}\n')
    install(gate)
    pushed = gate.try_git("push", "-q", "origin", "main")
    assert pushed.returncode == 0, pushed.stderr
    head = gate.git("rev-parse", "HEAD")
    assert log.read_text() == f"origin ../origin.git\nrefs/heads/main {head} refs/heads/main {'0' * 40}\n"
    gate.commit("k.txt", TEXTS["a new credential"])
    assert "keyleash stopped this push" in gate.try_git("push", "-q", "origin", "main").stderr


def test_a_hook_that_is_a_link_or_not_executable(gate: Gate) -> None:
    hook(gate.path / "scripts" / "check", "#!/bin/sh\ntouch ../ran\n")
    (hooks(gate) / "pre-commit").symlink_to("../../scripts/check")
    hook(hooks(gate) / "commit-msg", "#!/bin/sh\nexit 1\n", 0o644)  # git does not run it
    before = state(hooks(gate))
    install(gate)
    assert guards(gate)
    assert (gate.path.parent / "ran").exists()
    uninstall(gate)
    assert state(hooks(gate)) == before


def test_nothing_is_overwritten_when_there_are_two(gate: Gate) -> None:
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\n# first\n")
    install(gate)
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\n# written over ours\n")
    before = state(hooks(gate))
    result = keyleash("install", cwd=gate.path)
    assert (result.returncode, "is there already, beside another hook pre-commit" in result.stderr) == (2, True)
    assert state(hooks(gate)) == before


def test_a_linked_worktree(gate: Gate) -> None:
    gate.git("worktree", "add", "-q", "../linked")
    linked = Gate(gate.path.parent / "linked")
    install(linked)
    assert guards(linked)
    assert guards(gate)
    uninstall(gate)
    assert not guards(linked)


def test_a_folder_of_hooks_outside(gate: Gate) -> None:
    folder = gate.path.parent / "own hooks"
    gate.git("config", "core.hooksPath", "../own hooks")
    install(gate)
    assert (folder / "pre-commit").exists()
    assert not (hooks(gate) / "pre-commit").exists()
    assert guards(gate)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `keyleash` on PATH, as an installed one is."""
    command = hook(tmp_path / "bin" / "keyleash", f'#!/bin/sh\nexec {sys.executable} -P -m scanner "$@"\n')
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    return command


def test_a_folder_of_hooks_that_the_repository_carries(gate: Gate, on_path: Path) -> None:
    log = gate.path.parent / "log"
    folder = gate.path / "tools" / "hooks"
    hook(folder / "pre-commit", f"#!/usr/bin/env bash\nset -e\necho ran >> {log}\nexit 0\n")
    hook(folder / "pre-push", f"#!/bin/sh\ncat > {log}.push\n")
    gate.git("config", "core.hooksPath", "tools/hooks")
    gate.git("add", "-A")
    gate.force()
    before = {name: row[:2] for name, row in state(folder).items()}
    install(gate)
    install(gate)
    assert not list(folder.glob("*.before-keyleash"))
    assert (folder / "pre-commit").read_text().count("keyleash hook") == 1
    assert guards(gate)
    assert log.read_text() == "ran\n"  # only for the clean one: ours is first
    assert gate.try_git("push", "-q", "origin", "main").returncode == 0
    assert Path(f"{log}.push").read_text().startswith("refs/heads/main ")
    gate.commit("k.txt", TEXTS["a new credential"])
    assert "keyleash stopped this push" in gate.try_git("push", "-q", "origin", "main").stderr
    uninstall(gate)
    assert {name: row[:2] for name, row in state(folder).items()} == before


def test_a_shared_hook_in_another_language_is_left_alone(gate: Gate) -> None:
    hook(gate.path / "hooks" / "pre-commit", "#!/usr/bin/env python3\n")
    gate.git("config", "core.hooksPath", "hooks")
    result = keyleash("install", cwd=gate.path)
    assert (result.returncode, "have it run 'keyleash hook --stage pre-commit'" in result.stderr) == (2, True)


def husky(gate: Gate) -> None:
    """What Husky 9 writes: its documentation has `core.hooksPath` lead to generated hooks, which run those of the user."""
    h = '#!/usr/bin/env sh\nn=$(basename "$0")\ns=$(dirname "$(dirname "$0")")/$n\n[ ! -f "$s" ] && exit 0\n' \
        '[ "${HUSKY-}" = "0" ] && exit 0\nsh -e "$s" "$@"\nexit $?\n'  # fmt: skip
    hook(gate.path / ".husky" / "_" / "h", h, 0o644)
    (gate.path / ".husky" / "_" / ".gitignore").write_text("*")
    for stage in STAGES:
        hook(gate.path / ".husky" / "_" / stage, '#!/usr/bin/env sh\n. "$(dirname "$0")/h"')
    gate.git("config", "core.hooksPath", ".husky/_")


def test_husky(gate: Gate, on_path: Path) -> None:
    husky(gate)
    gate.commit(".husky/pre-commit", "echo the tests run\n")
    before = {name: row[:2] for name, row in state(gate.path / ".husky").items()}
    install(gate)
    assert guards(gate)
    assert (gate.path / ".husky" / "pre-commit").read_text().endswith("echo the tests run\n")
    assert doctor(gate)[0] == 0
    uninstall(gate)
    assert {name: row[:2] for name, row in state(gate.path / ".husky").items()} == before


def test_a_folder_for_all_repositories_needs_a_word(gate: Gate, tmp_path: Path) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[user]\n\tname = a\n\temail = a@example.org\n[core]\n\thooksPath = {tmp_path / 'all'}\n")
    env = {"GIT_CONFIG_GLOBAL": str(settings)}
    result = keyleash("install", cwd=gate.path, env=env)
    assert result.returncode == 2
    assert f"core.hooksPath is {tmp_path / 'all'} (set in {settings}), which all your repositories share" in result.stderr
    assert keyleash("install", "--shared", cwd=gate.path, env=env).returncode == 0
    gate.stage("k.txt", TEXTS["a new credential"])
    assert "keyleash stopped" in gate.try_git("commit", "-m", "x", GIT_CONFIG_GLOBAL=str(settings)).stderr


@pytest.mark.parametrize("order", ["pre-commit first", "keyleash first", "pre-commit again"])
def test_beside_pre_commit(gate: Gate, order: str) -> None:
    log = gate.path.parent / "log"
    local = (
        f"{{id: own, name: own, entry: sh -c 'echo ran >> {log}', language: system, always_run: true, pass_filenames: false}}"
    )
    gate.commit(".pre-commit-config.yaml", f"repos: [{{repo: local, hooks: [{local}]}}]\n")

    def pre_commit(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "pre_commit", *arguments], cwd=gate.path, check=True, capture_output=True)

    if order == "keyleash first":
        install(gate)
        pre_commit("install")
    else:
        pre_commit("install")
        install(gate)
        if order == "pre-commit again":
            pre_commit("install")
    assert guards(gate)
    assert log.read_text().startswith("ran\n")
    assert doctor(gate)[0] == 0
    uninstall(gate)
    assert not guards(gate)
    assert log.read_text().count("ran") >= 3
    assert [path.name for path in hooks(gate).iterdir() if "keyleash" in path.name] == []


def test_a_hook_without_its_interpreter_refuses_or_takes_the_one_on_path(gate: Gate, tmp_path: Path) -> None:
    gone = shutil.copy2(os.path.realpath(sys.executable), tmp_path / "python")
    install(gate)
    script = hooks(gate) / "pre-commit"
    script.write_text(script.read_text().replace(f"python={sys.executable}", f"python={gone}"))
    os.unlink(gone)
    gate.stage("b.txt", "x\n")
    without = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if not (Path(part) / "keyleash").exists())
    result = gate.try_git("commit", "-m", "x", PATH=without)
    assert (result.returncode, "is not on PATH, so nothing was scanned" in result.stderr) == (1, True), result.stderr
    hook(tmp_path / "bin" / "keyleash", f'#!/bin/sh\nexec {sys.executable} -P -m scanner "$@"\n')
    found = gate.try_git("commit", "-m", "x", PATH=f"{tmp_path / 'bin'}{os.pathsep}{without}")
    assert found.returncode == 0, found.stderr


def test_code_of_the_repository_is_not_run(gate: Gate) -> None:
    """`python -m` alone would import a folder `scanner` of the repository before our own."""
    install(gate)
    gate.stage("scanner/__init__.py", "open('../ran', 'w')\n")
    gate.stage("scanner/__main__.py", "open('../ran', 'w')\n")
    gate.stage("argparse.py", "open('../ran', 'w')\n")
    assert gate.try_commit().returncode == 0
    assert not (gate.path.parent / "ran").exists()
    assert guards(gate)


def test_misuse_of_install(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    gate.git("config", "core.hooksPath", "/dev/null")
    for command, place, said in (
        ("install", tmp_path / "plain", "is not in a git repository"),
        ("install", tmp_path / "nowhere", "there is no such folder"),
        ("install", tmp_path / "origin.git", "is a bare repository"),
        ("install", gate.path, "which switches all hooks off"),
        ("doctor", tmp_path / "plain", "is not in a git repository"),
        ("uninstall", tmp_path / "plain", "is not in a git repository"),
    ):
        result = keyleash(command, place)
        assert (result.returncode, said in result.stderr, result.stderr.count("\n")) == (2, True, 1), result.stderr


# The doctor


def doctor(gate: Gate, **env: str) -> tuple[int, str]:
    result = keyleash("doctor", cwd=gate.path, env=env)
    assert not result.stderr, result.stderr
    return result.returncode, result.stdout


def missing(gate: Gate) -> dict[str, str]:
    return {}


def installed_whole(gate: Gate) -> dict[str, str]:
    install(gate)
    return {}


def commits_alone(gate: Gate) -> dict[str, str]:
    install(gate, "--stage", "pre-commit")
    return {}


def pushes_alone(gate: Gate) -> dict[str, str]:
    install(gate, "--stage", "pre-push")
    return {}


def shadowed(gate: Gate) -> dict[str, str]:
    install(gate)
    gate.git("config", "core.hooksPath", "elsewhere")
    return {}


def not_executable(gate: Gate) -> dict[str, str]:
    install(gate)
    (hooks(gate) / "pre-commit").chmod(0o644)
    return {}


def interpreter_gone(gate: Gate) -> dict[str, str]:
    install(gate)
    script = hooks(gate) / "pre-commit"
    script.write_text(script.read_text().replace(f"python={sys.executable}", "python=/nowhere/python"))
    return {"PATH": "/usr/bin:/bin"}


def interpreter_without_keyleash(gate: Gate) -> dict[str, str]:
    install(gate)
    other = hook(gate.path.parent / "python", "#!/bin/sh\nexit 1\n")
    script = hooks(gate) / "pre-commit"
    script.write_text(script.read_text().replace(f"python={sys.executable}", f"python={other}"))
    return {}


def not_on_path(gate: Gate) -> dict[str, str]:
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\nexec keyleash hook\n")
    return {"PATH": "/usr/bin:/bin"}


def only_in_a_comment(gate: Gate) -> dict[str, str]:
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\n# keyleash hook\nmake test\n")
    return {}


def another_hook(gate: Gate) -> dict[str, str]:
    hook(hooks(gate) / "pre-commit", "#!/bin/sh\nmake test\n")
    return {}


def pre_commit_with(gate: Gate, hook_fields: str) -> dict[str, str]:
    gate.write(
        ".pre-commit-config.yaml", f"repos:\n  - repo: https://example.org/keyleash\n    rev: v1\n    hooks:\n{hook_fields}"
    )
    for stage in STAGES:
        text = f"#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\nINSTALL_PYTHON={sys.executable}\n"
        hook(hooks(gate) / stage, text + f"ARGS=(hook-impl --config=.pre-commit-config.yaml --hook-type={stage})\n")
    return {}


def pre_commit_without_ours(gate: Gate) -> dict[str, str]:
    return pre_commit_with(gate, "      - id: other\n")


def pre_commit_for_commits(gate: Gate) -> dict[str, str]:
    return pre_commit_with(gate, "      - id: keyleash\n")


def pre_commit_whole(gate: Gate) -> dict[str, str]:
    return pre_commit_with(gate, "      - id: keyleash\n      - id: keyleash-push\n      - id: keyleash-commit-msg\n")


def pre_commit_at_another_stage(gate: Gate) -> dict[str, str]:
    return pre_commit_with(gate, "      - id: keyleash\n        stages: [manual]\n")


def pre_commit_narrowed(gate: Gate) -> dict[str, str]:
    return pre_commit_with(gate, "      - id: keyleash\n        exclude: ^tests/\n")


def pre_commit_skipped(gate: Gate) -> dict[str, str]:
    return pre_commit_for_commits(gate) | {"SKIP": "flake8,keyleash"}


def pre_commit_broken(gate: Gate) -> dict[str, str]:
    pre_commit_for_commits(gate)
    gate.write(".pre-commit-config.yaml", "repos: [{hooks: 3}]\n")
    return {}


def pre_commit_deep(gate: Gate) -> dict[str, str]:
    """PyYAML's own loader gives up on these, and not with an error of YAML."""
    pre_commit_for_commits(gate)
    gate.write(".pre-commit-config.yaml", "[" * 50_000)
    return {}


def pre_commit_gone(gate: Gate) -> dict[str, str]:
    pre_commit_for_commits(gate)
    script = hooks(gate) / "pre-commit"
    script.write_text(script.read_text().replace(sys.executable, "/nowhere/python"))
    return {"PATH": "/usr/bin:/bin"}


def configuration_broken(gate: Gate) -> dict[str, str]:
    install(gate)
    gate.write(".keyleash.yaml", "ruels: {}\n")
    return {}


def plain_engine(gate: Gate) -> dict[str, str]:
    install(gate)
    return {"KEYLEASH_ENGINE": "regex"}


def cache_not_writable(gate: Gate) -> dict[str, str]:
    install(gate)
    folder = gate.path.parent / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    return {"KEYLEASH_CACHE": str(folder)}


def shallow(gate: Gate) -> dict[str, str]:
    install(gate)
    (gate.path / ".git" / "shallow").write_text(gate.git("rev-parse", "HEAD") + "\n")
    return {}


def husky_without_ours(gate: Gate) -> dict[str, str]:
    husky(gate)
    gate.write(".husky/pre-commit", "make test\n")
    return {}


def old_git(gate: Gate) -> dict[str, str]:
    install(gate)
    real = shutil.which("git")
    text = f'#!/bin/sh\ncase "$*" in *" version") echo git version 2.17.1;; *) exec {real} "$@";; esac\n'
    command = hook(gate.path.parent / "old" / "git", text)
    return {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}


WHOLE = "This clone is protected: commits, messages and pushes are guarded."
STATES: list[tuple[Callable[[Gate], dict[str, str]], int, str]] = [
    (missing, 1, "no    pre-commit: there is no "),
    (installed_whole, 0, WHOLE),
    (commits_alone, 0, "This clone is protected: commits are guarded, messages and pushes are not."),
    (pushes_alone, 1, "This clone is NOT protected: only pushes are guarded."),
    (shadowed, 1, ".git/config) has git look in "),
    (not_executable, 1, "is not executable, so git leaves it out: chmod +x "),
    (interpreter_gone, 1, "/nowhere/python, which "),
    (interpreter_without_keyleash, 1, "has no keyleash any more"),
    (not_on_path, 1, "runs keyleash, which is not on PATH"),
    (only_in_a_comment, 1, "does not name keyleash"),
    (another_hook, 1, "does not name keyleash"),
    (pre_commit_without_ours, 1, ".pre-commit-config.yaml has no hook 'keyleash' at this stage"),
    (pre_commit_for_commits, 0, ".pre-commit-config.yaml has no hook 'keyleash-push' at this stage"),
    (pre_commit_whole, 0, "of several refs pushed at once pre-commit looks at the first alone"),
    (pre_commit_at_another_stage, 1, "has no hook 'keyleash' at this stage"),
    (pre_commit_narrowed, 0, "narrows it by 'exclude'"),
    (pre_commit_skipped, 1, "SKIP in this environment has pre-commit leave out keyleash"),
    (pre_commit_broken, 1, "is no configuration of pre-commit"),
    (pre_commit_deep, 1, "is no configuration of pre-commit"),
    (pre_commit_gone, 1, "is gone, and pre-commit is not on PATH"),
    (configuration_broken, 1, "no    rules: every hook stops with this: "),
    (plain_engine, 0, "on the plain engine, which is slow"),
    (cache_not_writable, 0, "note  cache: "),
    (shallow, 0, "note  history: the clone is shallow"),
    (husky_without_ours, 1, "which does not run keyleash"),
    (old_git, 1, "git version 2.17.1 is too old: at least 2.31 is needed"),
]


@pytest.mark.parametrize(("play", "code", "said"), STATES, ids=[row[0].__name__ for row in STATES])
def test_the_doctor(gate: Gate, play: Callable[[Gate], dict[str, str]], code: int, said: str) -> None:
    env = play(gate)
    found, text = doctor(gate, **env)
    assert (found, said in text) == (code, True), text
    assert ("This clone is protected" in text) == (code == 0)


def test_what_the_doctor_calls_guarded_is(gate: Gate) -> None:
    """And the other way round: where a commit passes, the doctor says so."""
    for play, code, _ in STATES[:6]:
        shutil.rmtree(hooks(gate), ignore_errors=True)
        gate.git("config", "--unset", "core.hooksPath", check=False)
        play(gate)
        assert (doctor(gate)[0] == 0) == guards(gate) == (code == 0), play.__name__
