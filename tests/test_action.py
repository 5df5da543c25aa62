"""The action as GitHub runs it: every event, on real repositories, checked out as actions/checkout does it.

The install step runs too: pip builds the wheel from the action's own checkout, with a
folder of wheels in place of the network (`tests.wheelhouse`). The events have the fields
of https://docs.github.com/webhooks/webhook-events-and-payloads that say what happened.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import wheelhouse
from tests.actions_runner import Outcome, Runner, environment
from tests.conftest import ROOT, Repo, Secrets, keyleash

ZERO = "0" * 40


class Place(NamedTuple):
    """What all runs share, as on a runner that was set up once: the action's checkout, and the wheels."""

    action: Path
    temp: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Set a runner up: once, whichever of several test processes comes first."""
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    with open(top / "runner.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _set_up(top / "runner")


def _set_up(top: Path) -> Place:
    action = top / "_actions" / "keyleash" / "keyleash" / "v1"
    env = environment(str(Path(sys.executable).parent))
    env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(top / "wheels"), "KEYLEASH_CACHE": str(top / "cache")}
    place = Place(action, top / "temp", env)
    if top.exists():
        return place
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout  # fmt: skip
    for name in filter(None, listing.decode().split("\0")):
        if (ROOT / name).exists() and not name.startswith("tests/"):
            (action / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, action / name)
    (top / "wheels").mkdir()
    wheelhouse.fill(top / "wheels")
    Repo(top / "empty")
    deletion = {"ref": "refs/heads/gone", "before": "1" * 40, "after": ZERO, "deleted": True}
    outcome = Runner(action, top / "empty", place.temp, place.environment).run("push", deletion, ZERO, "refs/heads/main")
    assert outcome.code == 0, outcome.log
    return place


class World:
    """A repository on the server, and a checkout of it on a runner."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.server = Repo(folder / "server")
        self.first = self.server.commit("README.md", "hello\n")
        self.workspace = folder / "work" / "hello"

    def request(self, base: str = "main", number: int = 7) -> dict[str, Any]:
        """Make a pull request of what is checked out on the server: its head, and a merge with its base."""
        head, tip = self.server.git("rev-parse", "HEAD"), self.server.git("rev-parse", base)
        self.server.git("checkout", "-q", "--detach", base)
        self.server.git("merge", "-q", "--no-ff", "-m", f"Merge {head} into {tip}", head)
        self.server.git("update-ref", f"refs/pull/{number}/merge", "HEAD")
        self.server.git("update-ref", f"refs/pull/{number}/head", head)
        self.server.git("checkout", "-q", base)
        repository = {"full_name": "octo/hello", "default_branch": "main", "fork": False}
        return {
            "action": "synchronize", "number": number, "repository": repository,
            "pull_request": {
                "number": number, "state": "open", "merged": False, "commits": 1,
                "head": {"ref": "topic", "sha": head, "repo": {"full_name": "stranger/hello", "fork": True}},
                "base": {"ref": base, "sha": tip, "repo": repository},
                "merge_commit_sha": self.server.git("rev-parse", f"refs/pull/{number}/merge"),
            },
        }  # fmt: skip

    def push(self, ref: str, before: str, after: str, **more: Any) -> dict[str, Any]:
        commit = None if after == ZERO else {"id": self.server.git("rev-parse", f"{after}^{{commit}}")}
        event = {"ref": ref, "before": before, "after": after, "base_ref": None, "created": before == ZERO,
                 "deleted": after == ZERO, "forced": False, "head_commit": commit,
                 "repository": {"full_name": "octo/hello", "default_branch": "main", "master_branch": "main"}}  # fmt: skip
        return event | more

    def checkout(self, ref: str, sha: str, depth: int = 0) -> None:
        """Fetch and check out as actions/checkout does: one commit, or with depth 0 all branches and tags."""
        local = ref.replace("refs/heads/", "refs/remotes/origin/").replace("refs/pull/", "refs/remotes/pull/")
        clone = Repo(self.workspace)
        clone.git("remote", "add", "origin", f"file://{self.server.path}")
        options = ["-c", "protocol.version=2", "fetch", "-q", "--no-tags", "--prune", "--no-recurse-submodules"]
        if depth:
            clone.git(*options, f"--depth={depth}", "origin", f"+{sha}:{local}")
        else:
            clone.git(*options, "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            clone.git(*options, "origin", f"+{sha}:{local}")
        clone.git("checkout", "-q", "--force", local)

    def run(self, name: str, event: dict[str, Any], ref: str, sha: str, depth: int = 0, **inputs: str) -> Outcome:
        """Check out and run the action, and hold what must hold of every run."""
        self.checkout(ref, sha, depth)
        return self.run_again(name, event, ref, sha, **inputs)

    def run_again(self, name: str, event: dict[str, Any], ref: str, sha: str, **inputs: str) -> Outcome:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.workspace, capture_output=True, check=True).stdout
        runner = Runner(self.place.action, self.workspace, self.place.temp, self.place.environment)
        given = {key.replace("_", "-"): value for key, value in inputs.items()}
        given.setdefault("sarif-file", str(self.folder / "keyleash.sarif"))
        outcome = runner.run(name, event, sha, ref, given)
        assert subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.workspace, capture_output=True, check=True).stdout == head
        assert "Traceback" not in outcome.log
        if outcome.code in (0, 1):
            assert outcome.code == (outcome.outputs["blocking"] != "0"), outcome.log
            sarif = json.loads(Path(outcome.outputs["sarif-file"]).read_text())
            assert len(sarif["runs"][0]["results"]) == int(outcome.outputs["findings"])
            assert "Keyleash" in outcome.summary
        else:
            assert any(one.level in ("error", "warning") for one in outcome.annotations), outcome.log
        return outcome

    def pull(self, depth: int = 0, name: str = "pull_request", base: str = "main", **inputs: str) -> Outcome:
        """Run on a pull request of what is checked out on the server."""
        event = self.request(base)
        if name == "pull_request_target":  # GitHub checks out the base, not what a stranger wrote
            return self.run(name, event, f"refs/heads/{base}", self.server.git("rev-parse", base), depth, **inputs)
        return self.run(name, event, "refs/pull/7/merge", event["pull_request"]["merge_commit_sha"], depth, **inputs)


@pytest.fixture
def world(place: Place, tmp_path: Path) -> World:
    return World(place, tmp_path)


def places(outcome: Outcome) -> set[str]:
    """The files and lines of the annotations about credentials."""
    return {f"{one.properties['file']}:{one.properties['line']}" for one in outcome.annotations if "file" in one.properties}


def branch(world: World, name: str = "topic", start: str = "main") -> None:
    world.server.git("checkout", "-q", "-b", name, start)


def test_a_pull_request_with_a_credential(world: World, secrets: Secrets) -> None:
    branch(world)
    text = secrets.aws_file()
    head = world.server.commit("deploy/k.txt", text)
    outcome = world.pull()
    assert outcome.code == 1, outcome.log
    assert places(outcome) == {"deploy/k.txt:2", "deploy/k.txt:3"}
    assert {one.level for one in outcome.annotations} == {"error"}
    assert outcome.outputs["findings"] == outcome.outputs["blocking"] == "2"
    assert outcome.outputs["skipped"] == "0"
    assert "| critical | AWS secret access key<br>`aws-secret-access-key`" in outcome.summary
    assert head[:12] in outcome.summary
    written = outcome.log + outcome.summary + str(outcome.outputs) + Path(outcome.outputs["sarif-file"]).read_text()
    for line in text.splitlines()[1:]:
        assert line.split(" = ")[1] not in written


def test_a_pull_request_is_not_blamed_for_what_others_did(world: World, secrets: Secrets) -> None:
    world.server.commit("old.txt", secrets.aws_file())
    branch(world)
    world.server.commit("mine.txt", "clean\n")
    world.server.git("checkout", "-q", "-b", "other", "main")
    world.server.commit("other.txt", secrets.pem())
    world.server.git("checkout", "-q", "topic")
    outcome = world.pull()
    assert outcome.code == 0, outcome.log
    assert "1 commit of pull_request on GitHub Actions" in outcome.log
    assert outcome.outputs["findings"] == "0"
    assert "no credential found" in outcome.summary


@pytest.mark.parametrize("fresh", [True, False])
def test_a_pull_request_that_merged_its_base_is_not_blamed_for_it(world: World, secrets: Secrets, fresh: bool) -> None:
    """GitHub does not renew `base.sha` when the base moves on; the merge that it checks out tells the base of today."""
    branch(world)
    world.server.commit("mine.txt", "clean\n")
    world.server.git("checkout", "-q", "main")
    world.server.commit("others.txt", secrets.aws_file())
    world.server.git("checkout", "-q", "topic")
    world.server.git("merge", "-q", "--no-edit", "main")
    event = world.request()
    if not fresh:
        event["pull_request"]["base"]["sha"] = world.first
    outcome = world.run("pull_request", event, "refs/pull/7/merge", event["pull_request"]["merge_commit_sha"])
    assert outcome.code == 0, outcome.log


def test_a_credential_typed_into_a_merge_is_found(world: World, secrets: Secrets) -> None:
    branch(world)
    world.server.commit("mine.txt", "clean\n")
    world.server.git("checkout", "-q", "main")
    world.server.commit("others.txt", "clean\n")
    world.server.git("checkout", "-q", "topic")
    world.server.git("merge", "-q", "--no-commit", "main")
    world.server.commit("merged.txt", secrets.aws_file())
    outcome = world.pull()
    assert outcome.code == 1, outcome.log
    assert places(outcome) == {"merged.txt:2", "merged.txt:3"}


def test_a_pull_request_that_was_merged_since(world: World, secrets: Secrets) -> None:
    branch(world)
    world.server.commit("k.txt", secrets.aws_file())
    event = world.request()
    world.server.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    event["action"], event["pull_request"]["merged"] = "closed", True
    outcome = world.run("pull_request", event, "refs/heads/main", world.server.git("rev-parse", "main"))
    assert outcome.code == 1, outcome.log


@pytest.mark.parametrize("depth", [1, 2])
def test_a_shallow_checkout_fails_with_two_lines_to_add(world: World, depth: int) -> None:
    branch(world)
    world.server.commit("a.txt", "clean\n")
    outcome = world.pull(depth=depth)
    assert outcome.code == 2, outcome.log
    assert "this clone is too shallow for pull_request on GitHub Actions" in outcome.log
    assert "Add these two lines below 'uses: actions/checkout'" in outcome.log
    assert "\n        with:\n          fetch-depth: 0\n" in outcome.log
    assert outcome.annotations[0].level == "error"
    assert outcome.annotations[0].message.endswith("\n        with:\n          fetch-depth: 0")
    assert outcome.summary.startswith("### Keyleash: did not scan")
    assert outcome.outputs["findings"] == ""


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("bad", [True, False])
def test_a_shallow_checkout_is_deepened_where_that_is_allowed(world: World, secrets: Secrets, depth: int, bad: bool) -> None:
    world.server.commit("old.txt", secrets.pem())
    branch(world)
    world.server.commit("k.txt", secrets.aws_file() if bad else "clean\n")
    world.server.commit("k.txt", "gone again\n")
    world.server.git("checkout", "-q", "main")
    for number in range(3):
        world.server.commit("main.txt", f"{number}\n")
    world.server.git("checkout", "-q", "topic")
    outcome = world.pull(depth=depth, deepen="true")
    assert outcome.code == bad, outcome.log
    assert places(outcome) == ({"k.txt:2", "k.txt:3"} if bad else set())
    assert "2 commits of pull_request" in outcome.log


def test_a_long_way_to_the_base_is_fetched_in_steps(world: World, secrets: Secrets) -> None:
    """The base of the change is farther than the first fetch reaches."""
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.org> {1767323045 + number} +0000\ndata 1\nx\n"
        f"{'' if number else 'from refs/heads/main^0' + chr(10)}M 100644 inline count.txt\ndata {len(str(number))}\n{number}\n"
        for number in range(250)
    )
    branch(world)
    world.server.commit("k.txt", secrets.aws_file())
    world.server.git("fast-import", "--quiet", stdin=stream.encode())
    world.server.git("checkout", "-q", "main")
    world.server.git("reset", "-q", "--hard")
    world.server.git("checkout", "-q", "topic")
    outcome = world.pull(depth=1, deepen="true")
    assert outcome.code == 1, outcome.log
    assert "1 commit of pull_request" in outcome.log
    shallow = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"], cwd=world.workspace, capture_output=True, check=True
    )
    assert shallow.stdout.strip() in (b"false", b"true")


def test_a_fork_gets_no_token_and_needs_none(world: World, secrets: Secrets) -> None:
    """The head of a fork is no branch of the repository; only refs/pull leads to it."""
    world.server.git("checkout", "-q", "--detach", "main")
    world.server.commit("k.txt", secrets.aws_file())
    outcome = world.pull()
    assert outcome.code == 1, outcome.log
    text = (ROOT / "action.yml").read_text()
    assert "token }}" not in text
    assert "secrets." not in text


def test_pull_request_target_reads_the_request_and_checks_nothing_out(world: World, secrets: Secrets) -> None:
    world.server.git("checkout", "-q", "--detach", "main")
    world.server.commit("k.txt", secrets.aws_file())
    world.server.commit(".keyleash.yaml", "paths:\n  exclude: ['*']\n")  # a stranger's configuration counts for nothing
    outcome = world.pull(name="pull_request_target")
    assert outcome.code == 2, outcome.log
    assert "has too little for pull_request_target" in outcome.log
    assert "\n        with:\n          deepen: true\n" in outcome.log
    tip, head = world.server.git("rev-parse", "main"), world.server.git("rev-parse", "refs/pull/7/head")
    world.server.git("checkout", "-q", "--detach", head)
    event = world.request()
    outcome = world.run_again("pull_request_target", event, "refs/heads/main", tip, deepen="true")
    assert outcome.code == 1, outcome.log
    assert places(outcome) == {"k.txt:2", "k.txt:3"}
    assert not (world.workspace / "k.txt").exists()


def test_a_review_is_about_its_pull_request(world: World, secrets: Secrets) -> None:
    branch(world)
    world.server.commit("k.txt", secrets.aws_file())
    assert world.pull(name="pull_request_review").code == 1


def pushed(world: World, before: str, after: str, name: str = "main", depth: int = 0, **more: Any) -> Outcome:
    ref = f"refs/heads/{name}"
    return world.run("push", world.push(ref, before, after, **more), ref, after, depth)


def test_a_push_brings_its_own_commits(world: World, secrets: Secrets) -> None:
    before = world.server.commit("old.txt", secrets.aws_file())
    world.server.commit("k.txt", secrets.pem())
    outcome = pushed(world, before, world.server.commit("k.txt", "gone\n"))
    assert outcome.code == 1, outcome.log
    assert places(outcome) == {"k.txt:1"}


def test_a_clean_push_passes(world: World, secrets: Secrets) -> None:
    before = world.server.commit("old.txt", secrets.aws_file())
    outcome = pushed(world, before, world.server.commit("a.txt", "clean\n"))
    assert outcome.code == 0, outcome.log


def test_a_shallow_push_is_enough_where_it_holds_what_was_pushed(world: World, secrets: Secrets) -> None:
    before = world.server.commit("old.txt", secrets.aws_file())
    after = world.server.commit("a.txt", "clean\n")
    assert pushed(world, before, after, depth=2).code == 0


def test_a_shallow_push_is_not_enough_else(world: World) -> None:
    before = world.first
    for number in range(3):
        after = world.server.commit("a.txt", f"{number}\n")
    outcome = pushed(world, before, after, depth=2)
    assert outcome.code == 2
    assert "fetch-depth: 0" in outcome.log


@pytest.mark.parametrize("bad", [True, False])
def test_a_new_branch_is_compared_with_the_default_branch(world: World, secrets: Secrets, bad: bool) -> None:
    world.server.commit("old.txt", secrets.aws_file())
    branch(world)
    after = world.server.commit("k.txt", secrets.pem() if bad else "clean\n")
    outcome = pushed(world, ZERO, after, "topic")
    assert outcome.code == bad, outcome.log
    assert "1 commit of push" in outcome.log


def test_a_new_branch_without_a_commit_of_its_own_says_so(world: World, secrets: Secrets) -> None:
    tip = world.server.commit("old.txt", secrets.aws_file())
    branch(world)
    outcome = pushed(world, ZERO, tip, "topic")
    assert outcome.code == 0, outcome.log
    assert "nothing to scan: push on GitHub Actions brings no commit that" in outcome.log
    assert "nothing to scan" in outcome.summary


def test_the_first_push_of_all_is_scanned_whole(world: World, secrets: Secrets) -> None:
    after = world.server.commit("k.txt", secrets.aws_file())
    outcome = pushed(world, ZERO, after)
    assert outcome.code == 1, outcome.log
    assert "all of the repository, for push on GitHub Actions: nothing known is left to compare with" in outcome.log


def test_a_push_that_merges_main_is_not_blamed_for_main(world: World, secrets: Secrets) -> None:
    branch(world)
    before = world.server.commit("mine.txt", "clean\n")
    world.server.git("checkout", "-q", "main")
    world.server.commit("others.txt", secrets.aws_file())
    world.server.git("checkout", "-q", "topic")
    world.server.git("merge", "-q", "--no-edit", "main")
    outcome = pushed(world, before, world.server.git("rev-parse", "HEAD"), "topic")
    assert outcome.code == 0, outcome.log


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("name", ["main", "topic"])
def test_a_forced_push(world: World, secrets: Secrets, name: str, gone: bool) -> None:
    """What a forced push threw away is on no branch: mostly the clone has not got it, and the rest is compared."""
    if name != "main":
        branch(world, name)
    start = world.server.git("rev-parse", "HEAD")
    before = world.server.commit("a.txt", "thrown away\n")
    world.server.git("reset", "-q", "--hard", start)
    after = world.server.commit("k.txt", secrets.aws_file())
    event = world.push(f"refs/heads/{name}", before, after, forced=True)
    world.checkout(f"refs/heads/{name}", after)
    if not gone:
        Repo(world.workspace).git("fetch", "-q", "origin", before)
    outcome = world.run_again("push", event, f"refs/heads/{name}", after)
    assert outcome.code == 1, outcome.log
    assert ("all of the repository" in outcome.log) == (gone and name == "main")


def test_a_branch_set_back_brings_nothing(world: World, secrets: Secrets) -> None:
    before = world.server.commit("k.txt", secrets.aws_file())
    world.server.git("reset", "-q", "--hard", world.first)
    event = world.push("refs/heads/main", before, world.first, forced=True)
    world.checkout("refs/heads/main", world.first)
    Repo(world.workspace).git("fetch", "-q", "origin", before)
    assert world.run_again("push", event, "refs/heads/main", world.first).code == 0


def test_a_tag_on_a_known_commit(world: World) -> None:
    world.server.git("tag", "v1")
    outcome = world.run("push", world.push("refs/tags/v1", ZERO, world.first), "refs/tags/v1", world.first)
    assert outcome.code == 0, outcome.log
    assert "nothing to scan: push of a tag" in outcome.log


def test_a_tag_that_brings_commits(world: World, secrets: Secrets) -> None:
    world.server.git("checkout", "-q", "--detach")
    after = world.server.commit("k.txt", secrets.aws_file())
    world.server.git("tag", "v1")
    outcome = world.run("push", world.push("refs/tags/v1", ZERO, after), "refs/tags/v1", after)
    assert outcome.code == 1, outcome.log


def test_the_message_of_a_tag_is_read(world: World, secrets: Secrets) -> None:
    world.server.git("tag", "-a", "v1", "-m", f"deployed with {secrets.aws_id()}")
    event = world.push("refs/tags/v1", ZERO, world.server.git("rev-parse", "v1"))
    outcome = world.run("push", event, "refs/tags/v1", world.first)
    assert outcome.code == 1, outcome.log
    assert "tag message of" in outcome.summary


def test_the_message_of_a_tag_that_the_checkout_left_behind(world: World, secrets: Secrets) -> None:
    world.server.git("tag", "-a", "v1", "-m", f"deployed with {secrets.aws_id()}")
    event = world.push("refs/tags/v1", ZERO, world.server.git("rev-parse", "v1"))
    outcome = world.run("push", event, "refs/tags/v1", world.first, depth=1)
    assert outcome.code == 2, outcome.log
    assert world.run_again("push", event, "refs/tags/v1", world.first, deepen="true").code == 1


@pytest.mark.parametrize("ref", ["refs/heads/topic", "refs/tags/v1"])
def test_a_deletion_brings_nothing(world: World, ref: str) -> None:
    outcome = world.run("push", world.push(ref, world.first, ZERO), "refs/heads/main", world.first, depth=1)
    assert outcome.code == 0, outcome.log
    assert f"nothing to scan: push that deletes {ref} on GitHub Actions brings no commit" in outcome.log
    assert outcome.outputs["findings"] == "0"


@pytest.mark.parametrize("bad", [True, False])
def test_a_merge_group(world: World, secrets: Secrets, bad: bool) -> None:
    base = world.server.commit("old.txt", secrets.pem())
    branch(world, "gh-readonly-queue/main/pr-7-" + base)
    head = world.server.commit("k.txt", secrets.aws_file() if bad else "clean\n")
    ref = f"refs/heads/gh-readonly-queue/main/pr-7-{base}"
    event = {
        "action": "checks_requested", "repository": {"full_name": "octo/hello", "default_branch": "main"},
        "merge_group": {"head_sha": head, "head_ref": ref, "base_sha": base, "base_ref": "refs/heads/main",
                        "head_commit": {"id": head}},
    }  # fmt: skip
    outcome = world.run("merge_group", event, ref, head)
    assert outcome.code == bad, outcome.log


@pytest.mark.parametrize("name", ["schedule", "workflow_dispatch"])
def test_a_schedule_scans_all(world: World, secrets: Secrets, name: str) -> None:
    world.server.commit("k.txt", secrets.aws_file())
    tip = world.server.commit("k.txt", "gone\n")
    event = {"schedule": "23 4 * * 1", "repository": {"full_name": "octo/hello", "default_branch": "main"}}
    outcome = world.run(name, event, "refs/heads/main", tip)
    assert outcome.code == 1, outcome.log
    assert f"all of the repository, for {name} on GitHub Actions" in outcome.log


def test_a_schedule_needs_the_whole_history(world: World, secrets: Secrets) -> None:
    world.server.commit("k.txt", secrets.aws_file())
    tip = world.server.commit("k.txt", "gone\n")
    outcome = world.run("schedule", {"schedule": "23 4 * * 1"}, "refs/heads/main", tip, depth=1)
    assert outcome.code == 2, outcome.log
    assert "fetch-depth: 0" in outcome.log
    assert world.run_again("schedule", {"schedule": "23 4 * * 1"}, "refs/heads/main", tip, deepen="true").code == 1


def test_a_schedule_has_no_range(world: World) -> None:
    outcome = world.run("schedule", {"schedule": "23 4 * * 1"}, "refs/heads/main", world.first, mode="range")
    assert outcome.code == 2
    assert "leave out --mode range" in outcome.log


def test_what_fails_the_job_is_a_matter_of_severity(world: World, secrets: Secrets) -> None:
    branch(world)
    world.server.commit("k.txt", f"key = {secrets.aws_id()}\n")
    outcome = world.pull(fail_on="critical")
    assert outcome.code == 0, outcome.log
    assert (outcome.outputs["findings"], outcome.outputs["blocking"]) == ("1", "0")
    assert "1 credential found, 0 of them blocking" in outcome.summary
    assert len(outcome.annotations) == 1


def test_the_configuration_of_the_input_counts(world: World, secrets: Secrets) -> None:
    branch(world)
    world.server.commit("vendor/k.txt", secrets.aws_file())
    world.server.commit("ci/keyleash.yaml", "paths:\n  exclude: [vendor/]\n")
    outcome = world.pull(config="ci/keyleash.yaml")
    assert outcome.code == 0, outcome.log


def test_what_the_baseline_accepts_passes(world: World, secrets: Secrets) -> None:
    branch(world)
    world.server.commit("k.txt", secrets.aws_file())
    made = keyleash("baseline", "create", "--reason", "a test", cwd=world.server.path)
    assert made.returncode == 0, made.stderr
    world.server.git("add", ".")
    world.server.git("commit", "-q", "-m", "accepted")
    outcome = world.pull()
    assert outcome.code == 0, outcome.log
    assert "2 credentials are accepted by the baseline" in outcome.log


def test_a_pull_request_cannot_accept_its_own_credentials(world: World, secrets: Secrets) -> None:
    """Where the job says that the base's baseline counts."""
    world.server.commit("first.txt", secrets.pem())
    assert keyleash("baseline", "create", "--reason", "a test", cwd=world.server.path).returncode == 0
    world.server.git("add", ".")
    world.server.git("commit", "-q", "-m", "accepted")
    branch(world)
    world.server.commit("k.txt", secrets.aws_file())
    assert keyleash("baseline", "update", "--reason", "mine", cwd=world.server.path).returncode == 0
    world.server.git("commit", "-q", "-a", "-m", "accepted too")
    outcome = world.pull(baseline_ref="origin/main")
    assert outcome.code == 1, outcome.log
    assert places(outcome) == {"k.txt:2", "k.txt:3"}


def test_a_baseline_that_is_not_there_is_said(world: World) -> None:
    branch(world)
    world.server.commit("a.txt", "clean\n")
    outcome = world.pull(baseline="none.yaml")
    assert outcome.code == 2, outcome.log
    assert "none.yaml" in outcome.annotations[0].message


HOSTILE = '$(touch owned)"; touch owned; `touch owned` #\n::error::owned'


@pytest.mark.parametrize(
    "name", ["mode", "config", "baseline", "baseline-ref", "fail-on", "sarif-file", "path", "version", "deepen"]
)
def test_an_input_is_never_a_part_of_a_script(world: World, name: str) -> None:
    world.checkout("refs/heads/main", world.first)
    event = world.push("refs/heads/main", world.first, world.first)
    runner = Runner(world.place.action, world.workspace, world.place.temp, world.place.environment)
    outcome = runner.run("push", event, world.first, "refs/heads/main", {name: HOSTILE})
    assert outcome.code == (0 if name == "deepen" else 2), outcome.log
    assert not list(world.folder.rglob("owned"))
    assert "owned" not in [one.message for one in outcome.annotations]


def test_files_of_the_checkout_are_not_run(world: World, place: Place) -> None:
    for name in ("venv", "pip", "scanner", "sitecustomize", "json"):
        tip = world.server.commit(f"{name}.py", "raise SystemExit('run by accident')\n")
    event = world.push("refs/heads/main", world.first, tip)
    world.checkout("refs/heads/main", tip)
    temp = world.folder / "temp"  # a fresh runner, so that the environment is made with those files beside
    env = place.environment | {"PYTHONPATH": str(world.workspace)}
    outcome = Runner(place.action, world.workspace, temp, env).run("push", event, tip, "refs/heads/main")
    assert outcome.code == 0, outcome.log
    assert outcome.outputs["sarif-file"] == str(temp / "keyleash.sarif")


def test_names_of_a_repository_stay_text_in_log_and_summary(world: World, secrets: Secrets) -> None:
    branch(world)
    path = "a|b<img src=x>`[x](evil.example)\n::error::owned\x1b[31m.txt"
    world.server.commit(path, secrets.aws_file(), message="m")
    outcome = world.pull()
    assert outcome.code == 1, outcome.log
    assert [one.properties["file"] for one in outcome.annotations] == [path.replace("\n", "\\n").replace("\x1b", "\\x1b")] * 2
    for line in outcome.summary.splitlines():
        assert not line.startswith("::")
        if line.startswith("| critical"):
            assert line.count("|") == 5
    assert "<img" not in outcome.summary
    assert "](evil" not in outcome.summary


MISUSES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no base": (lambda event: event["pull_request"].pop("base"), "the event has no field 'pull_request.base.sha'"),
    "an id that is none": (
        lambda event: event["pull_request"]["head"].update(sha="--output=x"),
        "field 'pull_request.head.sha': '--output=x' is not the id of a commit",
    ),
    "a branch that is none": (
        lambda event: event["pull_request"]["base"].update(ref="--upload-pack=x"),
        "field 'pull_request.base.ref': '--upload-pack=x' is not the name of a branch",
    ),
    "a commit that is not there": (
        lambda event: event["pull_request"]["head"].update(sha="1" * 40),
        f"the commit {'1' * 40} is not in it",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_an_event_that_says_too_little(world: World, name: str) -> None:
    spoil, said = MISUSES[name]
    branch(world)
    world.server.commit("a.txt", "clean\n")
    event = world.request()
    spoil(event)
    outcome = world.run("pull_request", event, "refs/pull/7/merge", world.server.git("rev-parse", "refs/pull/7/merge"))
    assert outcome.code == 2, outcome.log
    assert said in outcome.log


def test_the_action_keeps_the_schema() -> None:
    for schema, file in (("github-actions", "action.yml"), ("github-workflows", ".github/workflows/ci.yml")):
        result = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout


def test_zizmor_finds_nothing() -> None:
    files = [str(ROOT / "action.yml"), *map(str, (ROOT / ".github" / "workflows").glob("*.yml"))]
    zizmor = Path(sys.executable).with_name("zizmor")
    result = subprocess.run(
        [str(zizmor), "--offline", "--no-config", "--no-ignores", "--persona=pedantic", "--format=json", *files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, json.loads(result.stdout)) == (0, []), result.stdout + result.stderr


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    """The audit above is only worth something if it can fail."""
    text = (ROOT / "action.yml").read_text().replace("what=$ACTION_PATH ;;", "what=${{ inputs.version }} ;;")
    (tmp_path / "action.yml").write_text(text)
    zizmor = Path(sys.executable).with_name("zizmor")
    result = subprocess.run(
        [str(zizmor), "--offline", str(tmp_path / "action.yml")], capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "template-injection" in result.stdout
