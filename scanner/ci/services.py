"""The services beside GitHub: each function reads the variables that its service documents.

Some say what a branch held before a push, some do not. Those that do not get what the
default branch has not, and where that cannot be told, everything.
"""

from __future__ import annotations

from collections.abc import Mapping

from scanner.ci.job import ALL, CHANGE, PUSH, Job, branch_name, is_none, need, tracked

Environment = Mapping[str, str]

_WOODPECKER = (
    "to the workflow",
    "clone:",
    "  git: { image: woodpeckerci/plugin-git, settings: { partial: false, depth: 0 } }",
)
_JENKINS = (
    "in place of 'checkout scm'",
    "checkout scmGit(userRemoteConfigs: scm.userRemoteConfigs, branches: scm.branches,",
    "                extensions: [cloneOption(shallow: false)])",
)


def _branch(environment: Environment, name: str) -> str:
    """Return the branch that a variable names, or an empty text where it is not set."""
    value = environment.get(name, "").removeprefix("refs/heads/").removeprefix("origin/")
    return branch_name(value, name) if value else ""


def _commits(environment: Environment, *names: str) -> tuple[str, ...]:
    """Return the commits that variables name, less those not set and the all-zero ones."""
    return tuple(environment[name] for name in names if not is_none(environment.get(name, "")))


def _request(
    service: str, event: str, new: str, target: str, remedy: tuple[str, ...], known: tuple[str, ...] = (), merge: str = ""
) -> Job:
    """A pull or merge request against the branch `target`."""
    refs = (f"refs/heads/{target}",) if target else ()
    return Job(service, event, CHANGE, new, (*known, *tracked(target)), merge, refs=refs, remedy=remedy)


def _pushed(service: str, event: str, new: str, branch: str, default: str, remedy: tuple[str, ...]) -> Job:
    """A push to a branch of which nobody says what it held before: less what the default branch has."""
    if not branch or branch == default:
        return Job(service, event, ALL, new, remedy=remedy)
    # Without a name for the default branch, origin/HEAD is it, if the clone has one.
    known = tracked(default or "HEAD")
    refs = (f"refs/heads/{default}",) if default else ()
    return Job(service, event, PUSH, new, known, refs=refs, remedy=remedy, certain=False)


def gitlab(environment: Environment) -> Job:
    """GitLab CI. Source: https://docs.gitlab.com/ci/variables/predefined_variables/"""
    service, remedy = "GitLab CI", ("to the job", "  variables:", '    GIT_DEPTH: "0"')
    event = need(environment, "CI_PIPELINE_SOURCE", service)
    new = need(environment, "CI_COMMIT_SHA", service)
    if event in ("merge_request_event", "external_pull_request_event"):
        kind = "MERGE_REQUEST" if event == "merge_request_event" else "EXTERNAL_PULL_REQUEST"
        # In a pipeline for the merged result the commit is a merge that GitLab made, and these two are its parents.
        head = environment.get(f"CI_{kind}_SOURCE_BRANCH_SHA") or new
        known = _commits(environment, f"CI_{kind}_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA")
        return _request(service, event, head, _branch(environment, f"CI_{kind}_TARGET_BRANCH_NAME"), remedy, known)
    if event != "push":
        return Job(service, event, ALL, new, remedy=remedy)
    default, branch = _branch(environment, "CI_DEFAULT_BRANCH"), environment.get("CI_COMMIT_BRANCH", "")
    known = _commits(environment, "CI_COMMIT_BEFORE_SHA") + (tracked(default) if branch != default else ())
    refs = (f"refs/heads/{default}",) if default and branch != default else ()
    tag = f"refs/tags/{environment['CI_COMMIT_TAG']}" if environment.get("CI_COMMIT_TAG") else ""
    return Job(service, event, PUSH, new, known, tag=tag, refs=refs, remedy=remedy)


def azure(environment: Environment) -> Job:
    """Azure Pipelines. Source: https://learn.microsoft.com/azure/devops/pipelines/build/variables"""
    service, remedy = "Azure Pipelines", ("as the first step", "  - checkout: self", '    fetchDepth: "0"')
    event = need(environment, "BUILD_REASON", service)
    sha = need(environment, "BUILD_SOURCEVERSION", service)
    if event == "PullRequest":
        head = need(environment, "SYSTEM_PULLREQUEST_SOURCECOMMITID", service)
        need(environment, "SYSTEM_PULLREQUEST_TARGETBRANCH", service)
        target = _branch(environment, "SYSTEM_PULLREQUEST_TARGETBRANCH")
        return _request(service, event, head, target, remedy, merge=sha)
    if event not in ("IndividualCI", "BatchedCI"):
        return Job(service, event, ALL, sha, remedy=remedy)
    ref = environment.get("BUILD_SOURCEBRANCH", "")
    return _pushed(service, event, sha, ref.removeprefix("refs/heads/").removeprefix("refs/tags/"), "", remedy)


def bitbucket(environment: Environment) -> Job:
    """Bitbucket Pipelines. Source: https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/"""
    service, remedy = "Bitbucket Pipelines", ("at the top of bitbucket-pipelines.yml", "clone:", "  depth: full")
    new = need(environment, "BITBUCKET_COMMIT", service)
    if environment.get("BITBUCKET_PR_ID"):
        need(environment, "BITBUCKET_PR_DESTINATION_BRANCH", service)
        target = _branch(environment, "BITBUCKET_PR_DESTINATION_BRANCH")
        known = _commits(environment, "BITBUCKET_PR_DESTINATION_COMMIT")
        return _request(service, "pull request", new, target, remedy, known)
    branch = environment.get("BITBUCKET_BRANCH") or environment.get("BITBUCKET_TAG", "")
    return _pushed(service, "push", new, branch, "", remedy)


def circleci(environment: Environment) -> Job:
    """CircleCI. Source: https://circleci.com/docs/reference/variables/ (no base is among them; `--base` can name one)"""
    service, remedy = "CircleCI", ("in place of the step 'checkout'", "      - checkout:", "          method: full")
    new = need(environment, "CIRCLE_SHA1", service)
    branch = environment.get("CIRCLE_BRANCH") or environment.get("CIRCLE_TAG", "")
    return _pushed(service, "push", new, branch, "", remedy)


def buildkite(environment: Environment) -> Job:
    """Buildkite. Source: https://buildkite.com/docs/pipelines/configure/environment-variables"""
    service, remedy = "Buildkite", ("to the pipeline", "env:", '  BUILDKITE_GIT_CLONE_FLAGS: "-v"')
    new = need(environment, "BUILDKITE_COMMIT", service)  # may be the word HEAD, which means the same here
    if environment.get("BUILDKITE_PULL_REQUEST", "false") != "false":
        need(environment, "BUILDKITE_PULL_REQUEST_BASE_BRANCH", service)
        target = _branch(environment, "BUILDKITE_PULL_REQUEST_BASE_BRANCH")
        return _request(service, "pull request", new, target, remedy)
    source = environment.get("BUILDKITE_SOURCE") or "webhook"
    if source != "webhook":
        return Job(service, source, ALL, new, remedy=remedy)
    default = _branch(environment, "BUILDKITE_PIPELINE_DEFAULT_BRANCH")
    return _pushed(service, "push", new, environment.get("BUILDKITE_BRANCH", ""), default, remedy)


def travis(environment: Environment) -> Job:
    """Travis CI. Source: https://docs.travis-ci.com/user/environment-variables/#default-environment-variables"""
    service, remedy = "Travis CI", ("to .travis.yml", "git:", "  depth: false")
    event = need(environment, "TRAVIS_EVENT_TYPE", service)
    new = need(environment, "TRAVIS_COMMIT", service)
    if event == "pull_request":
        head = need(environment, "TRAVIS_PULL_REQUEST_SHA", service)
        need(environment, "TRAVIS_BRANCH", service)
        return _request(service, event, head, _branch(environment, "TRAVIS_BRANCH"), remedy, merge=new)
    if event != "push":
        return Job(service, event, ALL, new, remedy=remedy)
    return _pushed(service, event, new, environment.get("TRAVIS_BRANCH", ""), "", remedy)


def drone(environment: Environment) -> Job:
    """Drone. Source: https://docs.drone.io/pipeline/environment/reference/"""
    service, remedy = "Drone", ("to the pipeline", "clone:", "  depth: 0")
    event = need(environment, "DRONE_BUILD_EVENT", service)
    new = need(environment, "DRONE_COMMIT_SHA", service)
    if event == "pull_request":
        need(environment, "DRONE_TARGET_BRANCH", service)
        return _request(service, event, new, _branch(environment, "DRONE_TARGET_BRANCH"), remedy)
    if event != "push":
        return Job(service, event, ALL, new, remedy=remedy)
    default, branch = _branch(environment, "DRONE_REPO_BRANCH"), environment.get("DRONE_BRANCH", "")
    before = _commits(environment, "DRONE_COMMIT_BEFORE")
    if not before:
        return _pushed(service, event, new, branch, default, remedy)
    return Job(service, event, PUSH, new, before + (tracked(default) if branch != default else ()), remedy=remedy)


def woodpecker(environment: Environment) -> Job:
    """Woodpecker. Source: https://woodpecker-ci.org/docs/usage/environment (its previous commit is the last pipeline's)"""
    service, remedy = "Woodpecker", _WOODPECKER
    event = need(environment, "CI_PIPELINE_EVENT", service)
    new = need(environment, "CI_COMMIT_SHA", service)
    if event == "pull_request":
        need(environment, "CI_COMMIT_TARGET_BRANCH", service)
        return _request(service, event, new, _branch(environment, "CI_COMMIT_TARGET_BRANCH"), remedy)
    if event != "push":
        return Job(service, event, ALL, new, remedy=remedy)
    default = _branch(environment, "CI_REPO_DEFAULT_BRANCH")
    return _pushed(service, event, new, environment.get("CI_COMMIT_BRANCH", ""), default, remedy)


def jenkins(environment: Environment) -> Job:
    """Jenkins. Sources: https://plugins.jenkins.io/git/ and a server's own page /env-vars.html

    The commit of the last successful build and not of the last one: a branch with a
    credential in it stays red until the credential is gone.
    """
    service, remedy = "Jenkins", _JENKINS
    new = environment.get("GIT_COMMIT") or "HEAD"
    if environment.get("CHANGE_ID"):
        need(environment, "CHANGE_TARGET", service)
        target = _branch(environment, "CHANGE_TARGET")
        return _request(service, "change request", new, target, remedy)
    known = _commits(environment, "GIT_PREVIOUS_SUCCESSFUL_COMMIT")
    if not known:
        return Job(service, "build", ALL, new, remedy=remedy)
    return Job(service, "build", PUSH, new, known, remedy=remedy, certain=False)
