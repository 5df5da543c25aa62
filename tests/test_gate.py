"""The gate in every situation that git puts it in: real git, our own hooks, and the real pre-commit.

One row a situation, played with several texts: one with a new credential is refused, a clean
one passes, one with a credential that is there already passes, and one in which that was
rotated is refused.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Repo, Secrets, keyleash

Result = subprocess.CompletedProcess[str]
MADE = Secrets("the gate")
KEY_ID = MADE.aws_id()
OLD = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {MADE.aws_secret()}\n"
TEXTS = {
    "a new credential": f"aws_access_key_id = {MADE.aws_id()}\naws_secret_access_key = {MADE.aws_secret()}\n",
    "nothing": "colour = green\n",
    "an old credential": OLD,
    "a rotated credential": f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {MADE.aws_secret()}\n",
}
REFUSED = {"a new credential", "a rotated credential"}
FILLER = "".join(f"line {number}\n" for number in range(40))


class Gate(Repo):
    """A clone whose hooks are on, beside its remote `../origin.git`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def try_git(self, *arguments: str, stdin: str | None = None, cwd: Path | None = None, **env: str) -> Result:
        return subprocess.run(
            ["git", *arguments], cwd=cwd or self.path, input=stdin, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "GIT_EDITOR": "true", **env},
        )  # fmt: skip

    def try_commit(self, *arguments: str) -> Result:
        return self.try_git("commit", "-q", "-m", "a change", *arguments)

    def force(self, *arguments: str) -> None:
        """Commit past the hooks."""
        self.git("commit", "-q", "--no-verify", "-m", "past the hooks", *arguments)


def base(repo: Repo) -> None:
    """A first commit with an old credential, which the remote has, too."""
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.commit("base.txt", FILLER + OLD)
    repo.git("push", "-q", "--no-verify", "origin", "main")


@pytest.fixture(scope="session")
def by_git(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with what `keyleash install` writes."""
    repo = Repo(tmp_path_factory.mktemp("by-git") / "clone")
    assert keyleash("install", cwd=repo.path).returncode == 0
    base(repo)
    return repo.path.parent


@pytest.fixture(scope="session")
def by_pre_commit(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with our hooks in pre-commit, which has built their environment."""
    repo = Repo(tmp_path_factory.mktemp("by-pre-commit") / "clone")
    rev = subprocess.run(["git", "rev-parse", "HEAD"], cwd=installed, capture_output=True, text=True, check=True).stdout.strip()
    hooks = "".join(f"      - id: {name}\n" for name in ("keyleash", "keyleash-push", "keyleash-commit-msg"))
    repo.stage(".pre-commit-config.yaml", f"repos:\n  - repo: {installed}\n    rev: {rev}\n    hooks:\n{hooks}")
    types = [f"--hook-type={name}" for name in ("pre-commit", "commit-msg", "pre-push")]
    subprocess.run([sys.executable, "-m", "pre_commit", "install", "--install-hooks", *types], cwd=repo.path, check=True)
    base(repo)
    return repo.path.parent


def copied(template: Path, tmp_path: Path) -> Gate:
    shutil.copytree(template, tmp_path / "gate", symlinks=True)
    return Gate(tmp_path / "gate" / "clone")


# Commits


def plain(gate: Gate, text: str) -> Result:
    gate.stage("new.txt", text)
    return gate.try_commit()


def commit_all(gate: Gate, text: str) -> Result:
    gate.write("base.txt", text + FILLER + OLD)
    return gate.try_commit("-a")


def commit_patch(gate: Gate, text: str) -> Result:
    gate.write("base.txt", text + FILLER + OLD + "left out\n")
    result = gate.try_git("commit", "-q", "-p", "-m", "a hunk", stdin="y\nn\n")
    assert "left out" not in gate.git("show", "HEAD:base.txt")
    return result


def commit_path(gate: Gate, text: str) -> Result:
    gate.stage("other.txt", "stays staged\n")
    gate.write("base.txt", text + FILLER + OLD)
    return gate.try_commit("base.txt")


def commit_include(gate: Gate, text: str) -> Result:
    gate.stage("other.txt", "goes along\n")
    gate.write("base.txt", text + FILLER + OLD)
    return gate.try_commit("--include", "base.txt")


def amend(gate: Gate, text: str) -> Result:
    gate.commit("other.txt", "amended\n")
    gate.stage("new.txt", text)
    return gate.try_git("commit", "-q", "--amend", "--no-edit")


def branches(gate: Gate, ours: str, theirs: str) -> None:
    """Two branches that change one file."""
    gate.commit("c.txt", "base\n")
    gate.git("checkout", "-q", "-b", "side")
    gate.commit("c.txt", theirs)
    gate.git("checkout", "-q", "main")
    gate.commit("c.txt", ours)


def typed_into_a_merge(gate: Gate, text: str) -> Result:
    gate.git("checkout", "-q", "-b", "side")
    gate.commit("side.txt", "side\n")
    gate.git("checkout", "-q", "main")
    gate.commit("main.txt", "main\n")
    gate.git("merge", "-q", "--no-commit", "--no-ff", "side")
    gate.stage("side.txt", "side\n" + text)
    return gate.try_commit()


def resolved_conflict(gate: Gate, text: str) -> Result:
    branches(gate, "ours\n", "theirs\n")
    gate.git("merge", "-q", "side", check=False)
    gate.stage("c.txt", "both\n" + text)
    return gate.try_commit()


def squashed_merge(gate: Gate, text: str) -> Result:
    gate.git("checkout", "-q", "-b", "side")
    gate.commit("side.txt", text)
    gate.git("checkout", "-q", "main")
    gate.git("merge", "-q", "--squash", "side")
    return gate.try_commit()


def cherry_pick(gate: Gate, text: str) -> Result:
    branches(gate, "ours\n", "theirs\n")
    gate.git("cherry-pick", "side", check=False)
    gate.stage("c.txt", "both\n" + text)
    return gate.try_git("cherry-pick", "--continue")


def rebase_edit(gate: Gate, text: str) -> Result:
    gate.commit("other.txt", "one\n")
    gate.try_git("rebase", "-q", "-i", "HEAD~1", GIT_SEQUENCE_EDITOR="sed -i 1s/pick/edit/")
    gate.stage("other.txt", "one\n" + text)
    result = gate.try_git("commit", "-q", "--amend", "--no-edit")
    assert (gate.path / ".git" / "rebase-merge").exists()
    return result


def rename(gate: Gate, text: str) -> Result:
    gate.git("mv", "base.txt", "moved.txt")
    gate.stage("moved.txt", FILLER + OLD + text)
    return gate.try_commit()


def copy(gate: Gate, text: str) -> Result:
    gate.stage("copy.txt", FILLER + OLD + text)
    return gate.try_commit()


def moved_to_another_file(gate: Gate, text: str) -> Result:
    gate.stage("base.txt", "nothing left\n")
    gate.stage("elsewhere/deep.cfg", "quite another file\n" + text)
    return gate.try_commit()


def mode_and_content(gate: Gate, text: str) -> Result:
    gate.write("base.txt", FILLER + OLD + text).chmod(0o755)
    return gate.try_commit("-a")


def link_becomes_file(gate: Gate, text: str) -> Result:
    (gate.path / "link").symlink_to("base.txt")
    gate.git("add", "link")
    gate.force()
    (gate.path / "link").unlink()
    gate.stage("link", text)
    return gate.try_commit()


def link_target(gate: Gate, text: str) -> Result:
    (gate.path / "link").symlink_to("/login?" + text.split("\n")[0].split(" ")[-1])
    gate.git("add", "link")
    return gate.try_commit()


def beside_a_submodule(gate: Gate, text: str) -> Result:
    other = Repo(gate.path.parent / "other")
    other.commit("a.txt", "x")
    gate.git("submodule", "--quiet", "add", str(other.path), "sub")
    gate.stage("new.txt", text)
    return gate.try_commit()


def in_a_submodule(gate: Gate, text: str) -> Result:
    """The hooks of a submodule are its own."""
    other = Repo(gate.path.parent / "other")
    other.commit("base.txt", OLD)
    gate.git("submodule", "--quiet", "add", str(other.path), "sub")
    inside = Gate(gate.path / "sub")
    assert keyleash("install", cwd=inside.path).returncode == 0
    inside.stage("new.txt", text)
    return inside.try_commit()


def odd_name(gate: Gate, text: str) -> Result:
    gate.stage("-öd \n\t\"'\\$(x).txt", text)
    return gate.try_commit()


def name_that_is_no_text(gate: Gate, text: str) -> Result:
    """pre-commit itself cannot read such a name."""
    gate.stage(b"o\xe4d.txt".decode("utf-8", "surrogateescape"), text)
    return gate.try_commit()


def crlf(gate: Gate, text: str) -> Result:
    gate.git("config", "core.autocrlf", "true")
    gate.stage("new.txt", text.replace("\n", "\r\n"))
    return gate.try_commit()


def binary_by_attribute(gate: Gate, text: str) -> Result:
    gate.stage(".gitattributes", "*.txt -diff -text\n")
    gate.stage("new.txt", "\0" + text)
    return gate.try_commit()


def intent_to_add(gate: Gate, text: str) -> Result:
    gate.write("new.txt", text)
    gate.git("add", "--intent-to-add", "new.txt")
    return gate.try_commit("-a")


def linked_worktree(gate: Gate, text: str) -> Result:
    gate.git("worktree", "add", "-q", "../linked")
    linked = Gate(gate.path.parent / "linked")
    linked.stage("new.txt", text)
    return linked.try_commit()


def sparse_checkout(gate: Gate, text: str) -> Result:
    gate.commit("deep/a.txt", "x\n")
    gate.commit("other/b.txt", "x\n")
    gate.git("sparse-checkout", "set", "--cone", "--sparse-index", "deep")
    assert not (gate.path / "other").exists()
    gate.stage("deep/new.txt", text)
    return gate.try_commit()


def from_a_subfolder(gate: Gate, text: str) -> Result:
    gate.stage("deep/new.txt", text)
    return gate.try_git("commit", "-q", "-m", "a change", cwd=gate.path / "deep")


def unborn(gate: Gate) -> None:
    gate.git("checkout", "-q", "--orphan", "fresh")
    gate.git("rm", "-rfq", "--cached", ".")


def first_commit(gate: Gate, text: str) -> Result:
    unborn(gate)
    gate.stage("new.txt", text)
    return gate.try_commit()


COMMITS: list[Callable[[Gate, str], Result]] = [
    plain, commit_all, commit_patch, commit_path, commit_include, amend, typed_into_a_merge, resolved_conflict, squashed_merge,
    cherry_pick, rebase_edit, rename, copy, moved_to_another_file, mode_and_content, link_becomes_file, beside_a_submodule,
    in_a_submodule, odd_name, name_that_is_no_text, crlf, binary_by_attribute,
    intent_to_add, linked_worktree, sparse_checkout, from_a_subfolder,
]  # fmt: skip


# Messages


def message(gate: Gate, text: str) -> Result:
    gate.stage("new.txt", "x\n")
    return gate.try_git("commit", "-q", "-m", "a change", "-m", text)


def message_from_a_file(gate: Gate, text: str) -> Result:
    gate.stage("new.txt", "x\n")
    return gate.try_git("commit", "-q", "-F", "-", stdin=f"a change\n\n{text}")


def edited_message(gate: Gate, text: str) -> Result:
    gate.stage("new.txt", "x\n")
    (gate.path.parent / "typed").write_text(f"a change\n\n{text}\n")
    return gate.try_git("commit", "-v", GIT_EDITOR='f() { cat ../typed "$1" > ../all && cp ../all "$1"; }; f')


MESSAGES: list[Callable[[Gate, str], Result]] = [message, message_from_a_file, edited_message]


# Pushes


def push(gate: Gate, *arguments: str) -> Result:
    return gate.try_git("push", "-q", *(arguments or ("origin", "HEAD")))


def push_a_branch(gate: Gate, text: str) -> Result:
    gate.commit("new.txt", text)
    return push(gate, "origin", "main")


def push_a_new_branch(gate: Gate, text: str) -> Result:
    gate.git("checkout", "-q", "-b", "feature")
    gate.commit("new.txt", text)
    return push(gate, "-u", "origin", "feature")


def push_with_force(gate: Gate, text: str) -> Result:
    gate.commit("new.txt", "x\n")
    gate.git("push", "-q", "--no-verify", "origin", "main")
    gate.stage("new.txt", text)
    gate.force("--amend")
    return push(gate, "--force", "origin", "main")


def push_to_an_address(gate: Gate, text: str) -> Result:
    gate.commit("new.txt", text)
    return push(gate, str(gate.path.parent / "origin.git"), "main")


def push_several_refs(gate: Gate, text: str) -> Result:
    for name, content in (("first", "x\n"), ("second", text), ("third", "y\n")):
        gate.git("checkout", "-q", "-b", name, "main")
        gate.commit(f"{name}.txt", content)
    _gone(gate)
    return push(gate, "origin", "first", "second", ":gone", "third")


def _gone(gate: Gate) -> None:
    """A branch of the remote that can be deleted."""
    gate.git("push", "-q", "--no-verify", "origin", "main:gone")


def push_a_light_tag(gate: Gate, text: str) -> Result:
    gate.commit("new.txt", text)
    gate.git("tag", "v1")
    gate.git("reset", "-q", "--hard", "origin/main")
    return push(gate, "origin", "v1")


def push_a_merge(gate: Gate, text: str) -> Result:
    gate.git("checkout", "-q", "-b", "side")
    gate.commit("side.txt", "side\n")
    gate.git("checkout", "-q", "main")
    gate.git("merge", "-q", "--no-commit", "--no-ff", "side")
    gate.stage("side.txt", "side\n" + text)
    gate.force()
    return push(gate, "origin", "main")


def push_what_was_added_and_removed(gate: Gate, text: str) -> Result:
    gate.commit("new.txt", text)
    gate.git("rm", "-q", "new.txt")
    gate.force()
    return push(gate, "origin", "main")


def push_what_a_rebase_brought(gate: Gate, text: str) -> Result:
    """git runs no pre-commit hook when a rebase goes on; the push is where it is seen."""
    branches(gate, "ours\n", "theirs\n")
    gate.git("rebase", "main", "side", check=False)
    gate.stage("c.txt", "both\n" + text)
    went_on = gate.try_git("rebase", "--continue")
    assert went_on.returncode == 0, went_on.stderr
    return push(gate, "origin", "side")


def push_a_cherry_pick(gate: Gate, text: str) -> Result:
    gate.git("checkout", "-q", "-b", "side")
    picked = gate.commit("side.txt", text)
    gate.git("checkout", "-q", "main")
    gate.git("cherry-pick", picked)
    return push(gate, "origin", "main")


def push_from_a_worktree(gate: Gate, text: str) -> Result:
    gate.git("worktree", "add", "-q", "-b", "linked", "../linked")
    linked = Gate(gate.path.parent / "linked")
    linked.commit("new.txt", text)
    return push(linked, "origin", "linked")


PUSHES: list[Callable[[Gate, str], Result]] = [
    push_a_branch, push_a_new_branch, push_with_force, push_to_an_address, push_several_refs, push_a_light_tag, push_a_merge,
    push_what_was_added_and_removed, push_what_a_rebase_brought, push_a_cherry_pick, push_from_a_worktree,
]  # fmt: skip


# What has no old credential to meet: a first commit, a first push, messages.


def push_for_the_first_time(gate: Gate, text: str) -> Result:
    unborn(gate)
    gate.commit("new.txt", text)
    gate.commit("new.txt", "gone\n")
    gate.git("init", "-q", "--bare", "../other.git")
    gate.git("remote", "add", "other", "../other.git")
    return push(gate, "other", "fresh")


def push_a_message(gate: Gate, text: str) -> Result:
    gate.git("commit", "-q", "--no-verify", "--allow-empty", "-m", f"a change\n\n{text}")
    return push(gate, "origin", "main")


def push_the_message_of_a_tag(gate: Gate, text: str) -> Result:
    gate.git("tag", "-a", "v1", "-m", f"a release\n\n{text}")
    return push(gate, "origin", "v1")


def push_a_tagged_file(gate: Gate, text: str) -> Result:
    id = gate.git("hash-object", "-w", "--stdin", stdin=text.encode())
    gate.git("tag", "-a", "file", "-m", "a file, without a commit", id)
    return push(gate, "origin", "file")


def push_a_tagged_tree(gate: Gate, text: str) -> Result:
    gate.stage("new.txt", text)
    gate.git("tag", "tree", gate.git("write-tree"))
    gate.git("reset", "-q", "--hard")
    return push(gate, "origin", "tree")


ALONE: list[Callable[[Gate, str], Result]] = [
    first_commit, link_target, *MESSAGES, push_for_the_first_time, push_a_message, push_the_message_of_a_tag,
    push_a_tagged_file, push_a_tagged_tree,
]  # fmt: skip


def judge(result: Result, case: str) -> None:
    said = result.stdout + result.stderr
    if case in REFUSED:
        assert result.returncode != 0, said
        assert "keyleash stopped this" in said, said
        assert "How to go on" in said, said
    else:
        assert result.returncode == 0, said
        assert "keyleash" not in said or "Passed" in said, said


# A rotated credential is the hardest to refuse, and an old one the hardest to let pass; the other two go through a few.
ROWS = [
    pytest.param(situation, case, id=f"{situation.__name__}-{case}")
    for situation in (*COMMITS, *PUSHES)
    for case in TEXTS
    if case in ("a rotated credential", "an old credential") or situation in (plain, resolved_conflict, push_a_branch)
]


@pytest.mark.parametrize(("situation", "case"), ROWS)
def test_the_hooks_of_git(by_git: Path, tmp_path: Path, situation: Callable[[Gate, str], Result], case: str) -> None:
    judge(situation(copied(by_git, tmp_path), TEXTS[case]), case)


@pytest.mark.parametrize("case", ["a new credential", "nothing"])
@pytest.mark.parametrize("situation", ALONE, ids=lambda situation: situation.__name__)
def test_the_hooks_of_git_where_nothing_was_before(
    by_git: Path, tmp_path: Path, situation: Callable[[Gate, str], Result], case: str
) -> None:
    judge(situation(copied(by_git, tmp_path), TEXTS[case]), case)


UNDER_PRE_COMMIT = [
    plain, commit_all, commit_path, typed_into_a_merge, resolved_conflict, odd_name, linked_worktree, push_a_branch,
    push_a_new_branch, push_what_was_added_and_removed,
]  # fmt: skip


@pytest.mark.parametrize("case", ["a rotated credential", "an old credential"])
@pytest.mark.parametrize("situation", UNDER_PRE_COMMIT, ids=lambda situation: situation.__name__)
def test_pre_commit(by_pre_commit: Path, tmp_path: Path, situation: Callable[[Gate, str], Result], case: str) -> None:
    judge(situation(copied(by_pre_commit, tmp_path), TEXTS[case]), case)


@pytest.mark.parametrize("case", ["a new credential", "nothing"])
@pytest.mark.parametrize(
    "situation", [message, push_for_the_first_time, push_a_message], ids=lambda situation: situation.__name__
)
def test_pre_commit_where_nothing_was_before(
    by_pre_commit: Path, tmp_path: Path, situation: Callable[[Gate, str], Result], case: str
) -> None:
    judge(situation(copied(by_pre_commit, tmp_path), TEXTS[case]), case)


# What has no four texts


def staged_deletion(gate: Gate) -> Result:
    gate.git("rm", "-q", "base.txt")
    return gate.try_commit()


def mode_alone(gate: Gate) -> Result:
    (gate.path / "base.txt").chmod(0o755)
    return gate.try_commit("-a")


def empty_commit(gate: Gate) -> Result:
    return gate.try_commit("--allow-empty")


def hunk_left_out(gate: Gate) -> Result:
    gate.write("base.txt", "taken\n" + FILLER + OLD + TEXTS["a new credential"])
    return gate.try_git("commit", "-q", "-p", "-m", "a hunk", stdin="y\nn\n")


def other_branch_merged(gate: Gate) -> Result:
    gate.git("checkout", "-q", "-b", "side")
    gate.commit("side.txt", TEXTS["a new credential"])
    gate.git("checkout", "-q", "main")
    gate.commit("main.txt", "so that a merge is needed\n")
    return gate.try_git("merge", "-q", "--no-edit", "side")


def new_commit_of_a_submodule(gate: Gate) -> Result:
    other = Repo(gate.path.parent / "other")
    other.commit("a.txt", "x")
    gate.git("submodule", "--quiet", "add", str(other.path), "sub")
    gate.force()
    Gate(gate.path / "sub").commit("k.txt", TEXTS["a new credential"])
    return gate.try_commit("-a")


def only_intended_to_add(gate: Gate) -> Result:
    gate.write("new.txt", TEXTS["a new credential"])
    gate.git("add", "--intent-to-add", "new.txt")
    gate.write("base.txt", FILLER)
    return gate.try_commit("base.txt")


def credential_below_the_scissors(gate: Gate) -> Result:
    """`git commit -v` shows the changes, deletions too, in the file of the message; they are no part of it."""
    gate.git("rm", "-q", "base.txt")
    return gate.try_git("commit", "-v", GIT_EDITOR='f() { echo gone | cat - "$1" > ../all && cp ../all "$1"; }; f')


def push_of_a_deletion(gate: Gate) -> Result:
    _gone(gate)
    gate.commit("k.txt", TEXTS["a new credential"])  # stays here
    return push(gate, "origin", ":gone")


def push_of_nothing_new(gate: Gate) -> Result:
    return push(gate, "origin", "main:another-name")


def push_backwards(gate: Gate) -> Result:
    gate.commit("k.txt", TEXTS["a new credential"])
    gate.git("push", "-q", "--no-verify", "origin", "main")
    gate.git("reset", "-q", "--hard", "HEAD~1")
    return push(gate, "--force", "origin", "main")


def push_of_what_somebody_else_pushed(gate: Gate) -> Result:
    gate.git("checkout", "-q", "-b", "theirs")
    gate.commit("k.txt", TEXTS["a new credential"])
    gate.git("push", "-q", "--no-verify", "origin", "theirs")
    gate.git("checkout", "-q", "-b", "mine")
    gate.commit("mine.txt", "x\n")
    return push(gate, "origin", "mine")


PASSES: list[Callable[[Gate], Result]] = [
    staged_deletion, mode_alone, empty_commit, hunk_left_out, other_branch_merged, new_commit_of_a_submodule,
    only_intended_to_add, credential_below_the_scissors, push_of_a_deletion, push_of_nothing_new, push_backwards,
    push_of_what_somebody_else_pushed,
]  # fmt: skip


@pytest.mark.parametrize("situation", PASSES, ids=lambda situation: situation.__name__)
def test_what_passes(by_git: Path, tmp_path: Path, situation: Callable[[Gate], Result]) -> None:
    result = situation(copied(by_git, tmp_path))
    assert (result.returncode, result.stderr.replace("warning: ", "").count("keyleash")) == (0, 0), result.stderr


# pre-commit by hand


def by_hand(gate: Gate, *arguments: str) -> Result:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--verbose", *arguments], cwd=gate.path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def hook_of(result: Result, name: str = "keyleash") -> str:
    """Return what the hook of that name said."""
    return result.stdout.partition(f"hook id: {name}\n")[2].partition("- hook id:")[0]


def test_all_files_are_scanned_as_they_are_even_where_they_are_staged_otherwise(by_pre_commit: Path, tmp_path: Path) -> None:
    gate = copied(by_pre_commit, tmp_path)
    result = by_hand(gate, "--all-files")
    assert (result.returncode, "base.txt:42:25" in hook_of(result)) == (1, True), result.stdout
    gate.commit("base.txt", "x\n")
    result = by_hand(gate, "--all-files", "--hook-stage", "manual")
    assert (result.returncode, "No credential found in 2 files" in hook_of(result)) == (0, True), result.stdout
    unborn(gate)
    gate.git("add", ".pre-commit-config.yaml", "base.txt")
    gate.write("base.txt", TEXTS["a new credential"])
    result = by_hand(gate, "--all-files")
    assert (result.returncode, "base.txt:2:25" in hook_of(result)) == (1, True), result.stdout


def test_named_files(by_pre_commit: Path, tmp_path: Path) -> None:
    gate = copied(by_pre_commit, tmp_path)
    gate.commit("clean.txt", "x\n")
    assert by_hand(gate, "--files", "base.txt").returncode == 1
    result = by_hand(gate, "--files", "clean.txt")
    assert (result.returncode, "No credential found in 1 file" in hook_of(result)) == (0, True), result.stdout


def test_by_hand_with_nothing_staged_is_not_clean(by_pre_commit: Path, tmp_path: Path) -> None:
    gate = copied(by_pre_commit, tmp_path)
    result = by_hand(gate)
    assert (result.returncode, "nothing is staged, so there was nothing to scan" in hook_of(result)) == (1, True), result.stdout
    gate.stage("new.txt", "x\n")
    gate.write("new.txt", TEXTS["a new credential"])  # not staged: pre-commit puts it aside
    assert by_hand(gate).returncode == 0
    gate.git("add", "new.txt")
    assert by_hand(gate).returncode == 1


def test_what_the_configuration_of_pre_commit_excludes_does_not_block(by_pre_commit: Path, tmp_path: Path) -> None:
    """With no name at all, everything that was staged was scanned."""
    gate = copied(by_pre_commit, tmp_path)
    config = gate.path / ".pre-commit-config.yaml"
    gate.stage(config.name, "exclude: ^fixtures/\n" + config.read_text())
    gate.force()
    gate.stage("fixtures/k.txt", TEXTS["a new credential"])
    result = by_hand(gate)
    assert (result.returncode, "nothing was scanned" in hook_of(result)) == (0, True), result.stdout
    assert gate.try_commit().returncode == 0
    gate.stage("k.txt", TEXTS["a rotated credential"])
    assert gate.try_commit().returncode == 1


def test_a_range_by_hand(by_pre_commit: Path, tmp_path: Path) -> None:
    gate = copied(by_pre_commit, tmp_path)
    gate.commit("new.txt", TEXTS["a new credential"])
    gate.git("rm", "-q", "new.txt")
    gate.force()
    for stage in ("pre-commit", "pre-push", "manual"):
        result = by_hand(gate, "--from-ref", "HEAD~2", "--to-ref", "HEAD", "--hook-stage", stage)
        assert (result.returncode, "new.txt:2:25" in result.stdout) == (1, True), result.stdout
        result = by_hand(gate, "--from-ref", "HEAD~1", "--to-ref", "HEAD", "--hook-stage", stage)
        assert (result.returncode, "No credential found in 1 commit" in result.stdout) == (0, True), result.stdout
        result = by_hand(gate, "--from-ref", "HEAD", "--to-ref", "HEAD", "--hook-stage", stage)
        assert (result.returncode, "the range is empty" in result.stdout) == (1, True), result.stdout


# What the message says


def test_the_message_has_every_part(by_git: Path, tmp_path: Path) -> None:
    gate = copied(by_git, tmp_path)
    said = commit_all(gate, TEXTS["a new credential"]).stderr
    secret = TEXTS["a new credential"].split()[-1]
    assert secret not in said
    for part in (
        "base.txt:2:25: AWS secret access key", "because  beside the access key id", "git restore --staged base.txt",
        "If it was ever pushed", "aws iam update-access-key", "right before base.txt:2:25",
    ):  # fmt: skip
        assert part in said
    line = re.search(r"(?m)^     (# keyleash:allow .*)$", said)
    assert line
    allowed = TEXTS["a new credential"].replace("aws_secret", f"{line[1]}\naws_secret")
    again = commit_all(gate, allowed).stderr
    assert "1 credential." in again
    line = re.search(r"(?m)^     (# keyleash:allow .*)$", again)
    assert line
    assert commit_all(gate, f"{line[1]}\n{allowed}").returncode == 0


def test_a_file_without_comments_is_accepted_by_its_id(by_git: Path, tmp_path: Path) -> None:
    gate = copied(by_git, tmp_path)
    gate.stage("it's.json", '{"k": "' + TEXTS["a new credential"].split()[2] + '"}')
    said = gate.try_commit().stderr
    assert "keyleash:allow" not in said
    command = re.search(r"(?m)^     .*?( baseline update .*)$", said)
    assert command
    run = f"{sys.executable} -P -m scanner{command[1]}"
    subprocess.run(["sh", "-c", run], cwd=gate.path, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    result = gate.try_commit()
    assert result.returncode == 0, result.stderr


def test_the_command_for_an_odd_name_takes_the_file_out(by_git: Path, tmp_path: Path) -> None:
    gate = copied(by_git, tmp_path)
    said = name_that_is_no_text(gate, TEXTS["a new credential"]).stderr
    command = said.partition("Take it out of the commit:  ")[2].partition("\n")[0]
    subprocess.run(["bash", "-c", command], cwd=gate.path, check=True)
    assert gate.git("diff", "--cached", "--name-only") == ""


@pytest.mark.parametrize("name", ["new.txt", "deep/new.txt", "deep/-q", ":!new", "a [b]#x.txt"])
def test_the_commands_of_the_message_work_in_the_folder_of_the_reader(by_git: Path, tmp_path: Path, name: str) -> None:
    gate = copied(by_git, tmp_path)
    gate.stage("security/accepted.yaml", "")
    (gate.path / "security" / "accepted.yaml").unlink()
    gate.git("rm", "-q", "--cached", "security/accepted.yaml")
    gate.commit(".keyleash.yaml", "baseline: security/accepted.yaml\n")
    assert keyleash("baseline", "create", "--reason", "x", cwd=gate.path).returncode == 0
    gate.git("add", "security")
    gate.force()
    (gate.path / "deep").mkdir(exist_ok=True)
    gate.write(name, '{"k": "' + TEXTS["a new credential"].split()[2] + '"}')
    gate.git("--literal-pathspecs", "add", "--", name)
    deep = gate.path / "deep"
    said = gate.try_git("commit", "-q", "-m", "a change", cwd=deep).stderr
    accept = re.search(r"(?m)^     (.* baseline update .*)$", said)
    assert accept
    subprocess.run(["bash", "-c", accept[1]], cwd=deep, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert sorted(gate.git("-c", "core.quotePath=false", "diff", "--cached", "--name-only").split("\n")) == sorted(
        [name, "security/accepted.yaml"]
    )
    take_out = said.partition("Take it out of the commit:  ")[2].partition("\n")[0]
    subprocess.run(["bash", "-c", take_out], cwd=deep, check=True)
    assert gate.git("diff", "--cached", "--name-only") == "security/accepted.yaml"


def test_the_command_that_accepts_works_where_only_pre_commit_has_keyleash(by_pre_commit: Path, tmp_path: Path) -> None:
    gate = copied(by_pre_commit, tmp_path)
    gate.stage("new.json", '{"k": "' + TEXTS["a new credential"].split()[2] + '"}')
    git = os.path.dirname(shutil.which("git") or "")
    result = gate.try_git("commit", "-q", "-m", "a change", PATH=f"{git}{os.pathsep}/usr/bin{os.pathsep}/bin")
    accept = re.search(r"(?m)^     (.* baseline update .*)$", result.stderr + result.stdout)
    assert accept
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": f"{git}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", accept[1]], cwd=gate.path, check=True, env=env)
    result = gate.try_commit()
    assert result.returncode == 0, result.stdout


def test_a_link_to_what_git_says_takes_nothing_of_it_away(by_git: Path, tmp_path: Path) -> None:
    """pyproject.toml was read for a configuration, and through /dev/stdin the refs of a push with it."""
    gate = copied(by_git, tmp_path)
    gate.stage("new.txt", TEXTS["a new credential"])
    gate.force()
    (gate.path / "pyproject.toml").symlink_to("/dev/stdin")
    result = gate.try_git("push", "-q", "origin", "main")
    assert result.returncode and "keyleash stopped this push" in result.stderr, result.stderr
    (gate.path / "pyproject.toml").unlink()
    os.mkfifo(gate.path / "pyproject.toml")
    gate.stage("clean.txt", "x\n")
    assert gate.try_commit().returncode == 0


# A git that hangs


def test_a_pipe_in_place_of_a_file_of_git_ends_in_a_clear_line(by_git: Path, tmp_path: Path) -> None:
    gate = copied(by_git, tmp_path)
    gate.stage("new.txt", "x\n")
    for name in ("HEAD", "index"):
        file = gate.path / ".git" / name
        file.rename(tmp_path / "kept")
        os.mkfifo(file)
        result = keyleash("hook", cwd=gate.path, env={"KEYLEASH_GIT_TIMEOUT": "1"})
        assert result.returncode == 2, result.stderr
        assert re.match(r"keyleash: git \S+ did not answer within 1 seconds and was ended", result.stderr), result.stderr
        file.unlink()
        (tmp_path / "kept").rename(file)
    os.mkfifo(gate.path / ".git" / "MERGE_HEAD")
    result = keyleash("hook", cwd=gate.path, env={"GIT_INDEX_FILE": ".git/index"})
    assert (result.returncode, "is no file" in result.stderr) == (2, True), result.stderr


def test_a_stream_of_objects_that_stops_is_ended(by_git: Path, tmp_path: Path) -> None:
    """A git in front of the real one that answers everything but hands over no object."""
    gate = copied(by_git, tmp_path)
    gate.stage("new.txt", "x\n")
    (tmp_path / "bin").mkdir()
    real = shutil.which("git")
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\ncase "$*" in *"--batch "*) exec sleep 60;; esac\nexec {real} "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    result = keyleash(
        "hook", cwd=gate.path, env={"KEYLEASH_GIT_TIMEOUT": "1", "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    )
    assert result.returncode == 2
    assert "git cat-file did not answer within 1 seconds" in result.stderr


@pytest.mark.parametrize("value", ["soon", "0", "-1"])
def test_a_wrong_time_limit_is_said(by_git: Path, value: str) -> None:
    result = keyleash("hook", cwd=by_git / "clone", env={"KEYLEASH_GIT_TIMEOUT": value})
    assert (result.returncode, result.stderr) == (
        2, f"keyleash: KEYLEASH_GIT_TIMEOUT: '{value}' is not a number of seconds from 1 to 86400\n",
    )  # fmt: skip


# Wrong use


def test_stages_are_given_what_they_need(by_git: Path, tmp_path: Path) -> None:
    clone = by_git / "clone"
    for arguments, said in (
        (["--stage", "commit-msg"], "the commit-msg stage takes one FILE"),
        (["--stage", "commit-msg", "nowhere"], "nowhere: the message cannot be read"),
        (["--stage", "pre-push"], "the pre-push stage is run by 'git push'"),
        (["--stage", "post-commit"], "invalid choice: 'post-commit'"),
    ):
        result = keyleash("hook", *arguments, cwd=clone)
        assert (result.returncode, said in result.stderr) == (2, True), result.stderr
    result = keyleash("hook", "--stage", "pre-push", "origin", "url", cwd=clone, stdin=b"what is this\n")
    assert (result.returncode, "a pre-push hook gets lines" in result.stderr) == (2, True), result.stderr
    zeros, ones = "0" * 40, "1" * 40
    lines = f"refs/heads/x {ones} refs/heads/x {zeros}\n".encode()
    result = keyleash("hook", "--stage", "pre-push", "origin", "url", cwd=clone, stdin=lines)
    assert (result.returncode, "is pushed and missing from this clone" in result.stderr) == (2, True), result.stderr
