"""What each CI service says, and what is made of it: variables as their documentation shows them, on real clones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scanner.ci import SERVICES, job_of
from scanner.ci.job import ALL, CHANGE, NOTHING, PUSH, branch_name, commit_id
from scanner.errors import UsageError
from tests.conftest import Repo, Secrets, keyleash

ZERO, OLD, NEW, TIP = "0" * 40, "1" * 40, "2" * 40, "3" * 40
GITLAB = {"GITLAB_CI": "true", "CI_COMMIT_SHA": NEW, "CI_DEFAULT_BRANCH": "main"}
AZURE = {"TF_BUILD": "True", "BUILD_SOURCEVERSION": NEW}
BITBUCKET = {"BITBUCKET_BUILD_NUMBER": "9", "BITBUCKET_COMMIT": NEW}
CIRCLE = {"CIRCLECI": "true", "CIRCLE_SHA1": NEW}
BUILDKITE = {"BUILDKITE": "true", "BUILDKITE_COMMIT": NEW, "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main"}
TRAVIS = {"TRAVIS": "true", "TRAVIS_COMMIT": NEW, "TRAVIS_BRANCH": "main"}
DRONE = {"DRONE": "true", "DRONE_COMMIT_SHA": NEW, "DRONE_REPO_BRANCH": "main"}
WOODPECKER = {"CI": "woodpecker", "CI_COMMIT_SHA": NEW, "CI_REPO_DEFAULT_BRANCH": "main"}
JENKINS = {"JENKINS_URL": "https://ci.example.org/", "GIT_COMMIT": NEW}
MAIN = "refs/remotes/origin/main"

# What the service sets; then the kind of job, the commit up to which is scanned, and what is known already.
JOBS: dict[str, tuple[dict[str, str], str, str, tuple[str, ...]]] = {
    "gitlab merge request": (
        GITLAB | {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_DIFF_BASE_SHA": OLD,
                  "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": ""},
        CHANGE, NEW, (OLD, MAIN),
    ),
    "gitlab merged result": (
        GITLAB | {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_DIFF_BASE_SHA": OLD,
                  "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": TIP,
                  "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "4" * 40},
        CHANGE, TIP, ("4" * 40, OLD, MAIN),
    ),
    "gitlab external pull request": (
        GITLAB | {"CI_PIPELINE_SOURCE": "external_pull_request_event", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA": TIP,
                  "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA": OLD, "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME": "main"},
        CHANGE, TIP, (OLD, MAIN),
    ),
    "gitlab push": (
        GITLAB | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": OLD, "CI_COMMIT_BRANCH": "main"}, PUSH, NEW, (OLD,),
    ),
    "gitlab push to a branch": (
        GITLAB | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": OLD, "CI_COMMIT_BRANCH": "topic"},
        PUSH, NEW, (OLD, MAIN),
    ),
    "gitlab new branch": (
        GITLAB | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": ZERO, "CI_COMMIT_BRANCH": "topic"}, PUSH, NEW, (MAIN,),
    ),
    "gitlab tag": (
        GITLAB | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": ZERO, "CI_COMMIT_TAG": "v1"}, PUSH, NEW, (MAIN,),
    ),
    "gitlab schedule": (GITLAB | {"CI_PIPELINE_SOURCE": "schedule"}, ALL, NEW, ()),
    "azure pull request": (
        AZURE | {"BUILD_REASON": "PullRequest", "SYSTEM_PULLREQUEST_SOURCECOMMITID": TIP,
                 "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main"}, CHANGE, TIP, (MAIN,),
    ),
    "azure push": (
        AZURE | {"BUILD_REASON": "IndividualCI", "BUILD_SOURCEBRANCH": "refs/heads/topic"},
        PUSH, NEW, ("refs/remotes/origin/HEAD",),
    ),
    "azure schedule": (AZURE | {"BUILD_REASON": "Schedule"}, ALL, NEW, ()),
    "bitbucket pull request": (
        BITBUCKET | {"BITBUCKET_PR_ID": "7", "BITBUCKET_PR_DESTINATION_BRANCH": "main", "BITBUCKET_PR_DESTINATION_COMMIT": OLD},
        CHANGE, NEW, (OLD, MAIN),
    ),
    "bitbucket push": (BITBUCKET | {"BITBUCKET_BRANCH": "topic"}, PUSH, NEW, ("refs/remotes/origin/HEAD",)),
    "bitbucket by hand": (BITBUCKET, ALL, NEW, ()),
    "circleci push": (CIRCLE | {"CIRCLE_BRANCH": "topic"}, PUSH, NEW, ("refs/remotes/origin/HEAD",)),
    "buildkite pull request": (
        BUILDKITE | {"BUILDKITE_PULL_REQUEST": "7", "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main"}, CHANGE, NEW, (MAIN,),
    ),
    "buildkite push": (
        BUILDKITE | {"BUILDKITE_PULL_REQUEST": "false", "BUILDKITE_BRANCH": "topic", "BUILDKITE_SOURCE": "webhook"},
        PUSH, NEW, (MAIN,),
    ),
    "buildkite push to the default branch": (BUILDKITE | {"BUILDKITE_BRANCH": "main"}, ALL, NEW, ()),
    "buildkite schedule": (BUILDKITE | {"BUILDKITE_BRANCH": "main", "BUILDKITE_SOURCE": "schedule"}, ALL, NEW, ()),
    "travis pull request": (
        TRAVIS | {"TRAVIS_EVENT_TYPE": "pull_request", "TRAVIS_PULL_REQUEST_SHA": TIP}, CHANGE, TIP, (MAIN,),
    ),
    "travis push": (TRAVIS | {"TRAVIS_EVENT_TYPE": "push", "TRAVIS_BRANCH": "topic"}, PUSH, NEW, ("refs/remotes/origin/HEAD",)),
    "travis cron": (TRAVIS | {"TRAVIS_EVENT_TYPE": "cron"}, ALL, NEW, ()),
    "drone pull request": (DRONE | {"DRONE_BUILD_EVENT": "pull_request", "DRONE_TARGET_BRANCH": "main"}, CHANGE, NEW, (MAIN,)),
    "drone push": (
        DRONE | {"DRONE_BUILD_EVENT": "push", "DRONE_BRANCH": "topic", "DRONE_COMMIT_BEFORE": OLD}, PUSH, NEW, (OLD, MAIN),
    ),
    "drone new branch": (
        DRONE | {"DRONE_BUILD_EVENT": "push", "DRONE_BRANCH": "topic", "DRONE_COMMIT_BEFORE": ZERO}, PUSH, NEW, (MAIN,),
    ),
    "drone cron": (DRONE | {"DRONE_BUILD_EVENT": "cron"}, ALL, NEW, ()),
    "woodpecker pull request": (
        WOODPECKER | {"CI_PIPELINE_EVENT": "pull_request", "CI_COMMIT_TARGET_BRANCH": "main"}, CHANGE, NEW, (MAIN,),
    ),
    "woodpecker push": (WOODPECKER | {"CI_PIPELINE_EVENT": "push", "CI_COMMIT_BRANCH": "topic"}, PUSH, NEW, (MAIN,)),
    "woodpecker cron": (WOODPECKER | {"CI_PIPELINE_EVENT": "cron"}, ALL, NEW, ()),
    "jenkins change": (JENKINS | {"CHANGE_ID": "7", "CHANGE_TARGET": "main"}, CHANGE, NEW, (MAIN,)),
    "jenkins build": (JENKINS | {"GIT_PREVIOUS_SUCCESSFUL_COMMIT": OLD, "GIT_PREVIOUS_COMMIT": TIP}, PUSH, NEW, (OLD,)),
    "jenkins first build": (JENKINS, ALL, NEW, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
def test_a_service_says_what_its_job_is_about(name: str) -> None:
    environment, kind, new, known = JOBS[name]
    job = job_of({"CI": "true"} | environment)
    assert (job.kind, job.new, job.known) == (kind, new, known)
    assert len(job.remedy) == 3


def test_every_service_is_in_the_table_above() -> None:
    tested = {variable for variable in SERVICES for environment, *_ in JOBS.values() if environment.get(variable)}
    assert tested == set(SERVICES) - {"GITHUB_ACTIONS"}  # which tests/test_action.py runs


MISSING: dict[str, tuple[dict[str, str], str]] = {
    "no job": ({}, "this is not a CI job"),
    "an unknown service": ({"CI": "true"}, "this CI service is not known"),
    "github without its event": ({"GITHUB_ACTIONS": "true"}, "GitHub Actions: the variable GITHUB_EVENT_NAME is not set"),
    "github without its file": (
        {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push"},
        "GitHub Actions: the variable GITHUB_EVENT_PATH is not set",
    ),
    "gitlab in a container without its variables": (
        {"GITLAB_CI": "true"},
        "GitLab CI: the variable CI_PIPELINE_SOURCE is not set",
    ),
    "azure": (AZURE, "Azure Pipelines: the variable BUILD_REASON is not set"),
    "azure pull request": (
        AZURE | {"BUILD_REASON": "PullRequest"},
        "Azure Pipelines: the variable SYSTEM_PULLREQUEST_SOURCECOMMITID is not set",
    ),
    "bitbucket": ({"BITBUCKET_BUILD_NUMBER": "1"}, "Bitbucket Pipelines: the variable BITBUCKET_COMMIT is not set"),
    "circleci": ({"CIRCLECI": "true"}, "CircleCI: the variable CIRCLE_SHA1 is not set"),
    "buildkite": ({"BUILDKITE": "true"}, "Buildkite: the variable BUILDKITE_COMMIT is not set"),
    "travis": ({"TRAVIS": "true"}, "Travis CI: the variable TRAVIS_EVENT_TYPE is not set"),
    "drone": ({"DRONE": "true"}, "Drone: the variable DRONE_BUILD_EVENT is not set"),
    "woodpecker": ({"CI_PIPELINE_EVENT": "push"}, "Woodpecker: the variable CI_COMMIT_SHA is not set"),
    "jenkins": (JENKINS | {"CHANGE_ID": "7"}, "Jenkins: the variable CHANGE_TARGET is not set"),
    "a hostile branch": (JENKINS | {"CHANGE_ID": "7", "CHANGE_TARGET": "--output=x"}, "is not the name of a branch"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_variable_is_named(name: str) -> None:
    environment, said = MISSING[name]
    with pytest.raises(UsageError, match=re.escape(said)):
        job_of(environment)


@pytest.mark.parametrize("value", ["", "main", "1" * 39, "1" * 41, "g" * 40, "1" * 40 + "\n", "--help"])
def test_what_is_no_commit_id(value: str) -> None:
    with pytest.raises(UsageError, match=r"here: .* is not the id of a commit"):
        commit_id(value, "here")


@pytest.mark.parametrize("value", ["", "-x", "a..b", "a b", "a~1", "a:b", "a\nb", "a\\b", "a@{1}", "a*", "[a"])
def test_what_is_no_branch(value: str) -> None:
    with pytest.raises(UsageError, match=r"here: .* is not the name of a branch"):
        branch_name(value, "here")


EVENTS: dict[str, tuple[str | bytes | None, str]] = {
    "no file": (None, "the event file that GITHUB_EVENT_PATH names does not exist"),
    "no JSON": ("{", "the event is not valid JSON"),
    "bytes": (b"\xff\xfe\x00", "the event is not valid JSON"),
    "deep": ("[" * 100_000, "the event is not valid JSON"),
    "a list": ("[]", "the event is not a JSON object"),
    "empty": ("{}", "the event has no field 'ref'"),
    "a number": ('{"ref": 7}', "the event has no field 'ref'"),
    "no id": ('{"ref": "refs/heads/main", "before": "x", "after": "y"}', "field 'before': 'x' is not the id of a commit"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    content, said = EVENTS[name]
    file = tmp_path / "event.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=re.escape(f"{file}: ") + ".*" + re.escape(said)):
        job_of({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(file)})


def test_a_deletion(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps({"ref": "refs/heads/x", "before": OLD, "after": ZERO, "deleted": True}))
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    assert job_of(environment).kind == NOTHING


# The same command on real clones, in the environment of a service that is not GitHub.

CLEAN: dict[str, str] = dict.fromkeys(("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", *SERVICES), "")


@pytest.fixture
def clone(repo: Repo, tmp_path: Path) -> Repo:
    """A clone, as a service makes it, of a repository whose default branch has an old credential."""
    repo.commit("old.txt", Secrets("old").aws_file())
    copy = Repo(tmp_path / "clone")
    copy.git("remote", "add", "origin", f"file://{repo.path}")
    copy.git("fetch", "-q", "origin")
    copy.git("remote", "set-head", "origin", "main")
    copy.git("checkout", "-q", "-B", "topic", "origin/main")
    return copy


def ci(clone: Repo, environment: dict[str, str], *options: str) -> Any:
    return keyleash("ci", *options, cwd=clone.path, env=CLEAN | environment)


def test_a_gitlab_merge_request(clone: Repo, secrets: Secrets, tmp_path: Path) -> None:
    base = clone.git("rev-parse", "HEAD")
    new = clone.commit("k.txt", secrets.aws_file())
    report = tmp_path / "gl-secret-detection-report.json"
    result = ci(clone, GITLAB | {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_SHA": new,
                                 "CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"},
                "--format", "gitlab", "--output", str(report))  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "k.txt:3:25: AWS secret access key" in result.stdout
    assert "old.txt" not in result.stdout
    assert len(json.loads(report.read_text())["vulnerabilities"]) == 2


def test_a_push_of_which_nobody_says_what_was_there_before(clone: Repo, secrets: Secrets) -> None:
    new = clone.commit("a.txt", "clean\n")
    result = ci(
        clone, AZURE | {"BUILD_REASON": "IndividualCI", "BUILD_SOURCEBRANCH": "refs/heads/topic", "BUILD_SOURCEVERSION": new}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 commit of IndividualCI on Azure Pipelines" in result.stderr


def test_where_nothing_tells_new_from_old_all_is_scanned(clone: Repo) -> None:
    """The default branch itself: against origin/HEAD it would look as if nothing had come."""
    new = clone.git("rev-parse", "HEAD")
    result = ci(
        clone, AZURE | {"BUILD_REASON": "IndividualCI", "BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": new}
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert "all of the repository, for IndividualCI on Azure Pipelines" in result.stderr


def test_standard_output_is_the_report_alone(clone: Repo, secrets: Secrets) -> None:
    clone.commit("k.txt", secrets.pem())
    result = ci(clone, {"CI": "true"}, "--base", "origin/main", "--format", "json")
    assert len(json.loads(result.stdout)["findings"]) == 1


def test_a_base_that_is_head_itself_has_all_scanned(clone: Repo, secrets: Secrets) -> None:
    """The job that compares each branch with the default branch runs on that one, too."""
    head = clone.git("rev-parse", "HEAD")
    result = ci(clone, {"CI": "true"}, "--base", head)
    assert "all of the repository" in result.stderr, result.stderr
    clone.commit("new.txt", secrets.aws_file())
    assert ci(clone, {"CI": "true"}, "--base", "HEAD").returncode == 1


def test_a_base_that_is_named(clone: Repo, secrets: Secrets) -> None:
    clone.commit("k.txt", secrets.pem())
    for base in ("origin/main", "main~0", clone.git("rev-parse", "HEAD~1")):
        if base == "main~0":
            base = "main"  # there is no local one; the remote's is meant
        result = ci(clone, {"CI": "true"}, "--base", base)
        assert result.returncode == 1, result.stdout + result.stderr
        assert "1 credential found" in result.stdout


def test_jenkins_stays_red_until_the_credential_is_gone(clone: Repo, secrets: Secrets) -> None:
    good = clone.git("rev-parse", "HEAD")
    bad = clone.commit("k.txt", secrets.pem())
    new = clone.commit("a.txt", "clean\n")
    environment = JENKINS | {"GIT_COMMIT": new, "GIT_PREVIOUS_COMMIT": bad, "GIT_PREVIOUS_SUCCESSFUL_COMMIT": good}
    assert ci(clone, environment).returncode == 1


WRONG: dict[str, tuple[dict[str, str], tuple[str, ...], str]] = {
    "no job": ({}, (), "this is not a CI job"),
    "an unknown service": ({"CI": "true"}, (), "this CI service is not known"),
    "an unknown base": ({"CI": "true"}, ("--base", "nope"), "nope: not in it"),
    "a base that is an option": ({"CI": "true"}, ("--base=--output=x",), "is not the name of a commit or branch"),
    "a base and everything": ({"CI": "true"}, ("--base", "main", "--mode", "full"), "give one"),
    "an empty range": ({"CI": "true"}, ("--base", "HEAD", "--mode", "range"), "the range is empty: there was no commit"),
    "a commit that is not there": (JENKINS | {"GIT_PREVIOUS_SUCCESSFUL_COMMIT": OLD}, (), f"the commit {NEW} is not in it"),
    "a severity that is none": ({"CI": "true"}, ("--fail-on", "severe"), "argument --fail-on: invalid choice: 'severe'"),
    "secrets": ({"CI": "true"}, ("--show-secrets",), "unrecognized arguments: --show-secrets"),
    "no configuration": (
        {"CI": "true"}, ("--base", "HEAD~1", "--config", "none.yaml"), "none.yaml: cannot read the configuration",
    ),
    "no folder for SARIF": ({"CI": "true"}, ("--base", "HEAD~1", "--sarif-file", "no/such.sarif"), "the folder"),
    "no repository": ({"CI": "true"}, ("--base", "HEAD", "/"), "/: is not a git repository"),
    "no folder": ({"CI": "true"}, ("--base", "HEAD", "nowhere"), "nowhere: there is no such folder"),
    "a summary that cannot be written": (
        {"CI": "true", "GITHUB_STEP_SUMMARY": "/no/such/file"}, ("--base", "HEAD~1"), "GITHUB_STEP_SUMMARY: /no/such/file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_misuse_gets_one_clear_line(name: str, clone: Repo) -> None:
    environment, options, said = WRONG[name]
    clone.commit("a.txt", "clean\n")
    result = ci(clone, environment, *options)
    assert result.returncode == 2, result.stdout + result.stderr
    lines = (result.stdout + result.stderr).splitlines()
    assert len([line for line in lines if said in line]) == 1, lines


def test_an_unknown_service_can_scan_all(clone: Repo) -> None:
    assert ci(clone, {"CI": "true"}, "--mode", "full").returncode == 1


def test_a_partial_clone_is_not_called_clean(repo: Repo, tmp_path: Path) -> None:
    repo.commit("a.txt", "clean\n")
    repo.commit("a.txt", "clean too\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    copy = Repo.__new__(Repo)
    copy.path = tmp_path / "partial"
    result = ci(copy, {"CI": "true"}, "--base", "HEAD~1")
    assert result.returncode == 2, result.stdout
    assert "Skipped: a.txt (" in result.stdout
    assert "missing from this partial clone" in result.stdout


def test_a_remote_that_cannot_be_reached_is_said_without_its_token(repo: Repo, tmp_path: Path) -> None:
    repo.commit("a.txt", "one\n")
    base = repo.git("rev-parse", "HEAD")
    repo.commit("a.txt", "two\n")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    copy = Repo.__new__(Repo)
    copy.path = tmp_path / "shallow"
    copy.git("remote", "set-url", "origin", "https://job:" + "sesame" + "@127.0.0.1:1/x.git")
    result = ci(
        copy, JENKINS | {"GIT_COMMIT": copy.git("rev-parse", "HEAD"), "GIT_PREVIOUS_SUCCESSFUL_COMMIT": base}, "--deepen"
    )
    assert result.returncode == 2
    assert "too shallow" in result.stderr
    assert "sesame" not in result.stdout + result.stderr


def test_a_remote_helper_is_not_run(repo: Repo, tmp_path: Path) -> None:
    """`ext::` runs any program; a clone's configuration may come with one."""
    repo.commit("a.txt", "one\n")
    base = repo.git("rev-parse", "HEAD")
    repo.commit("a.txt", "two\n")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    copy = Repo.__new__(Repo)
    copy.path = tmp_path / "shallow"
    copy.git("remote", "set-url", "origin", f"ext::touch {tmp_path}/owned")
    copy.git("config", "protocol.ext.allow", "always")
    (copy.path / ".git" / "hooks").mkdir(exist_ok=True)
    result = ci(
        copy, JENKINS | {"GIT_COMMIT": copy.git("rev-parse", "HEAD"), "GIT_PREVIOUS_SUCCESSFUL_COMMIT": base}, "--deepen"
    )
    assert result.returncode == 2
    assert not (tmp_path / "owned").exists()
