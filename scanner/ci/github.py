"""GitHub Actions: the event's name in the environment, and the event itself in a file.

Sources: https://docs.github.com/actions/reference/workflows-and-actions/variables,
https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows (what `GITHUB_SHA` is for each)
and https://docs.github.com/webhooks/webhook-events-and-payloads (the fields read here).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scanner.ci.job import ALL, CHANGE, NOTHING, PUSH, Job, branch_name, commit_id, is_none, need, tracked
from scanner.errors import UsageError

SERVICE = "GitHub Actions"
LIMIT = 32 << 20
"""Bytes of an event; GitHub's own limit for a payload is 25 MB."""

_REMEDY = ("below 'uses: actions/checkout'", "        with:", "          fetch-depth: 0")
# The checkout has the base branch, whatever its depth; what is missing is the request's own commits.
_REMEDY_TARGET = ("below 'uses: keyleash/keyleash'", "        with:", "          deepen: true")


class _Event(NamedTuple):
    """The payload, and where it came from for messages."""

    payload: dict[str, Any]
    file: str

    def get(self, field: str) -> str:
        """Return a text by its dotted name, or an empty one."""
        value: Any = self.payload
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else ""

    def need(self, field: str) -> str:
        value = self.get(field)
        if not value:
            raise UsageError(f"{self.file}: the event has no field '{field}', which GitHub documents for it")
        return value

    def commit(self, field: str) -> str:
        return commit_id(self.need(field), f"{self.file}: field '{field}'")

    def branch(self, field: str) -> str:
        return branch_name(self.need(field), f"{self.file}: field '{field}'")


def github(environment: Mapping[str, str]) -> Job:
    """Read the job of a workflow run."""
    name = need(environment, "GITHUB_EVENT_NAME", SERVICE)
    event = _read(need(environment, "GITHUB_EVENT_PATH", SERVICE))
    sha = environment.get("GITHUB_SHA") or "HEAD"
    if name in EVENTS:
        return EVENTS[name](name, event, sha)
    if isinstance(event.payload.get("pull_request"), dict):  # a review, or a comment on one
        return _pull_request(name, event, sha)
    return Job(SERVICE, name, ALL, remedy=_REMEDY)


def _pull_request(name: str, event: _Event, sha: str) -> Job:
    """Only the request's own commits: less what its base has now, and had when the request was last updated."""
    base, head = event.commit("pull_request.base.sha"), event.commit("pull_request.head.sha")
    branch = event.branch("pull_request.base.ref")
    refs: tuple[str, ...] = (f"refs/heads/{branch}",)
    number = event.payload.get("number")
    if isinstance(number, int):
        refs += (f"refs/pull/{number}/head",)
    # Here the checkout is the base branch, and stays so: the request's commits are read, never checked out.
    if name == "pull_request_target":
        return Job(SERVICE, name, CHANGE, head, (sha, base, *tracked(branch)), refs=refs, remedy=_REMEDY_TARGET)
    return Job(SERVICE, name, CHANGE, head, (base, *tracked(branch)), merge=sha, refs=refs, remedy=_REMEDY)


def _merge_group(name: str, event: _Event, sha: str) -> Job:
    base, head = event.commit("merge_group.base_sha"), event.commit("merge_group.head_sha")
    refs = tuple(f"refs/heads/{event.branch(f'merge_group.{field}')}" for field in ("base_ref", "head_ref"))
    return Job(SERVICE, name, CHANGE, head, (base,), refs=refs, remedy=_REMEDY)


def _push(name: str, event: _Event, sha: str) -> Job:
    """What the push brought. The default branch has its own pushes, so what it has is theirs; a new branch has no before."""
    ref, before, after = event.need("ref"), event.need("before"), event.need("after")
    if event.payload.get("deleted") is True or is_none(after):
        return Job(SERVICE, f"{name} that deletes {ref}", NOTHING, remedy=_REMEDY)
    known: tuple[str, ...] = () if is_none(before) else (commit_id(before, f"{event.file}: field 'before'"),)
    default = event.get("repository.default_branch")
    refs: tuple[str, ...] = ()
    if default and ref != f"refs/heads/{default}":
        default = branch_name(default, f"{event.file}: field 'repository.default_branch'")
        known, refs = known + tracked(default), (f"refs/heads/{default}",)
    after = commit_id(after, f"{event.file}: field 'after'")
    if ref.startswith("refs/tags/"):  # an annotated one has an object of its own, and a checkout may come without it
        return Job(SERVICE, f"{name} of a tag", PUSH, event.get("head_commit.id") or sha, known, tag=after, refs=(*refs, ref),
                   remedy=_REMEDY)  # fmt: skip
    return Job(SERVICE, name, PUSH, after, known, refs=(*refs, ref), remedy=_REMEDY)


EVENTS: dict[str, Callable[[str, _Event, str], Job]] = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "merge_group": _merge_group,
    "push": _push,
}


def _read(path: str) -> _Event:
    try:
        if not os.path.isfile(path):
            raise UsageError(f"{path}: the event file that GITHUB_EVENT_PATH names does not exist")
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as problem:
        raise UsageError(f"{path}: cannot read the event: {problem.strerror}") from None
    if len(data) > LIMIT:
        raise UsageError(f"{path}: the event is larger than {LIMIT >> 20} MB")
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: the event is not valid JSON") from None
    if not isinstance(payload, dict):
        raise UsageError(f"{path}: the event is not a JSON object")
    return _Event(payload, path)
