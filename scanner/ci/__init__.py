"""What a CI job is about, told from the documented variables of its service.

Each service says in its own words which commits a job is about, and most of them say it
in a way that is easily misread: an all-zero commit for a new branch, a merge that nobody
made, a base that is older than it looks. One function a service reads its variables and
returns a `Job`; `scanner.ci.plan` then looks up in the clone what the job names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scanner.ci import services
from scanner.ci.github import github
from scanner.ci.job import Job
from scanner.errors import UsageError

# A service is told by the variable named here, which its documentation says is always set. The first one counts.
SERVICES: dict[str, Callable[[Mapping[str, str]], Job]] = {
    "GITHUB_ACTIONS": github,  # also Gitea and Forgejo, which set the same
    "GITLAB_CI": services.gitlab,
    "TF_BUILD": services.azure,
    "BITBUCKET_BUILD_NUMBER": services.bitbucket,
    "CIRCLECI": services.circleci,
    "BUILDKITE": services.buildkite,
    "TRAVIS": services.travis,
    "DRONE": services.drone,
    "CI_PIPELINE_EVENT": services.woodpecker,
    "JENKINS_URL": services.jenkins,
}


def job_of(environment: Mapping[str, str]) -> Job:
    """Return what the job that runs in this environment is about.

    Raises `UsageError` outside a job, in one of a service that is not known, and where a
    variable or a field of the event that its service documents is missing.
    """
    for variable, read in SERVICES.items():
        if environment.get(variable):
            return read(environment)
    if environment.get("CI"):
        raise UsageError(
            "this CI service is not known ('keyleash ci --help' lists those that are); "
            "say with --base which commit is known already, as in --base origin/main, or scan all with --mode full"
        )
    raise UsageError("this is not a CI job: none of its variables is set; here, use 'keyleash scan --range origin/main..HEAD'")
