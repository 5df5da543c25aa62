"""A GitLab group and a GitHub user on loopback, audited by the real command: subgroups, wikis, gists, what is private."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.model import Skipped
from scanner.sources.organisation import Choice, Remote, remotes
from tests.audit.hub import TOKEN, Hub, serving
from tests.audit.made import add, bare
from tests.audit.test_audit import Planted, audit, found, states


@pytest.fixture
def group(tmp_path: Path) -> Iterator[tuple[Hub, Planted]]:
    hub, planted = Hub(tmp_path / "hub", page=3), Planted()
    top = hub.root / "acme"
    bare(hub.add("site", has_wiki=True), [{"a": planted.new("site", "fork")}, *({"b": planted.words()} for _ in range(9))])
    bare(top / "site.wiki.git", [{"Home.md": planted.new("site.wiki")}])
    shutil.copytree(top / "site.git", hub.add("fork", source="site"))
    add(top / "fork.git", {"own": planted.new("fork")})
    bare(hub.add("team/deep/api", private=True, has_wiki=True), [{"a": planted.new("team/deep/api")}])
    bare(hub.add("team/old", archived=True), [{"a": planted.new("team/old")}])
    with serving(hub):
        yield hub, planted


def test_a_group_is_audited_with_its_subgroups_and_wikis(group: tuple[Hub, Planted], tmp_path: Path) -> None:
    hub, planted = group
    hub.limits = 1
    env = {"GITLAB_URL": hub.address, "GITLAB_TOKEN": TOKEN}
    target = f"gitlab:{hub.address}/acme"
    result = audit(tmp_path, target, **env)
    assert result.returncode == 1, result.stderr
    assert found(tmp_path, hub) == planted.where
    assert set(states(tmp_path, hub).values()) == {"complete"}
    assert "team/deep/api.wiki" not in states(tmp_path, hub)  # most that may be begun never are
    assert TOKEN not in result.stdout + result.stderr
    fork = next((tmp_path / "clones").glob("acme-fork-*.git"))
    assert (fork / "objects" / "info" / "alternates").exists()
    hub.served.clear()
    again = audit(tmp_path, target, **env)
    assert "5 unchanged" in again.stdout
    assert not +hub.served


def listed(target: str, choice: Choice = Choice()) -> set[str]:  # noqa: B008 - a frozen value
    return {one.name for one in remotes(target, choice, print) if isinstance(one, Remote)}


def test_what_is_chosen_of_a_group(group: tuple[Hub, Planted], monkeypatch: pytest.MonkeyPatch) -> None:
    hub, _ = group
    target, top = f"gitlab:{hub.address}/acme", f"{hub.address}/acme"
    assert listed(target) == {f"{top}/{name}.git" for name in ("site", "site.wiki", "fork", "team/old")}  # without a token
    monkeypatch.setenv("GITLAB_URL", hub.address)
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    deep = {f"{top}/team/deep/api.git", f"{top}/team/deep/api.wiki.git"}
    assert listed(target, Choice(visibility="private")) == deep
    assert listed(target, Choice(archived=False, forks=False, wikis=False)) == {f"{top}/site.git", f"{top}/team/deep/api.git"}
    with pytest.raises(UsageError, match="there is no such group"):
        listed(f"gitlab:{hub.address}/nobody")
    assert listed(target, Choice(("acme/team/*",), ("old",), wikis=False)) == {f"{top}/team/deep/api.git"}
    monkeypatch.setenv("GITLAB_TOKEN", "of-another-server")
    (skipped,) = remotes(target, Choice(), print)
    assert isinstance(skipped, Skipped)
    assert "the host answered 401" in skipped.reason


def test_a_user_is_audited_with_gists_and_what_only_the_user_sees(tmp_path: Path) -> None:
    hub, planted = Hub(tmp_path / "hub", org="ann", user="ann", gists={"aa11": True, "bb22": False}), Planted()
    bare(hub.add("open"), [{"a": planted.new("ann/open")}])
    bare(hub.add("closed", private=True), [{"a": planted.new("ann/closed")}])
    for name in hub.gists:
        bare(hub.root / "gist" / f"{name}.git", [{"a.txt": planted.new(f"gist/{name}")}])
    with serving(hub):
        target, env = f"github:{hub.address}/ann", {"GH_HOST": hub.address}
        for folder in ("stranger", "self"):
            (tmp_path / folder).mkdir()
        assert audit(tmp_path / "stranger", target, **env).returncode == 1
        assert audit(tmp_path / "self", target, GH_ENTERPRISE_TOKEN=TOKEN, **env).returncode == 1
        without = audit(tmp_path / "self", "--no-gists", target, **env)
        place = f"{hub.address}/"
        seen = {
            folder: {next(iter(where)).removeprefix(place) for where in found(tmp_path / folder, hub).values()}
            for folder in ("stranger", "self")
        }
    assert seen == {
        "stranger": {"ann/open", "gist/aa11"}, "self": {"ann/open", "ann/closed", "gist/aa11", "gist/bb22"},
    }  # fmt: skip
    assert "1 repository: 1 unchanged" in without.stdout


def test_a_page_that_fails_is_asked_for_again_and_then_reported(
    group: tuple[Hub, Planted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, _ = group
    monkeypatch.setattr("scanner.sources.hosts.time.sleep", lambda seconds: None)
    hub.limits = 10**6
    said: list[str] = []
    (skipped,) = remotes(f"gitlab:{hub.address}/acme", Choice(), said.append)
    assert isinstance(skipped, Skipped)
    assert "its projects could not be listed: the host answered 502" in skipped.reason
    assert any("asks to wait" in line for line in said)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_an_absent_host_is_reported_by_name(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("scanner.sources.hosts.time.sleep", lambda seconds: None)
    (skipped,) = remotes(f"{kind}:http://127.0.0.1:9/acme", Choice(), lambda line: None)
    assert isinstance(skipped, Skipped)
    assert skipped.what == f"{kind}:http://127.0.0.1:9/acme"
    assert "could not be listed: ConnectionError" in skipped.reason
