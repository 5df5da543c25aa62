"""Rules that know a path: their credential is one in files of that name only, wherever the file is met."""

from __future__ import annotations

import io
import zipfile

import pytest

from scanner import gitcommand
from scanner.examples import expand
from scanner.filters import fits
from scanner.model import RuleSet, Source
from scanner.pipeline import scan, sight
from scanner.rules import load_builtin
from scanner.sources.fasthistory import FastHistory
from scanner.sources.history import History
from scanner.sources.staged import Range, Staged
from scanner.sources.tree import Folder, WorkTree
from tests.conftest import Repo, keyleash

RULE = "rails-master-key-file"


def zipped(name: str, content: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def paths(source: Source) -> set[str]:
    report = scan([source])
    assert report.skipped == ()
    return {where.origin.path or "" for finding in report.findings for where in finding.locations if finding.rule.id == RULE}


def test_in_the_tree_staged_and_in_history(repo: Repo, rules: RuleSet) -> None:
    def key() -> str:
        return expand("{{hex:32}}", next(seeds))

    seeds = iter(range(100))
    wanted = {"config/master.key", "shop/config/credentials/production.key", "config/secrets.yml.key", "app.zip"}
    repo.commit("README", "hello\n")
    for name in (*sorted(wanted - {"app.zip"}), "release.md5", "config/other.key", "master.key"):
        repo.stage(name, key() + "\n")
    repo.stage("app.zip", zipped("shop/config/master.key", key()))
    repo.stage("sums.zip", zipped("release.md5", key()))
    repository = gitcommand.find(str(repo.path))
    assert repository
    folder = {f"{repo.path}/{name}" for name in wanted}
    assert paths(WorkTree(repository)) == paths(Staged(repository)) == wanted
    assert paths(Folder(str(repo.path))) == folder
    repo.git("commit", "-q", "-m", "keys")
    assert paths(History(repository)) == paths(FastHistory(repository, sight(rules))) == wanted
    assert paths(Range(repository, repository.resolve("HEAD~1"), repository.resolve("HEAD"))) == wanted


def test_what_has_no_such_path_counts_as_nothing_found(repo: Repo) -> None:
    repo.commit("release.md5", expand("{{hex:32}}"))
    result = keyleash("scan", cwd=repo.path)
    assert (result.returncode, RULE in result.stdout) == (0, False)


@pytest.mark.parametrize(
    ("path", "way", "said"),
    [("config/master.key", (), True), ("a/b/config/master.key", (), True), ("/srv/app/config/master.key", (), True),
     ("master.key", (), False), (None, (), False), ("config/master.key.bak", (), False),
     ("a.zip", ("zip", "config/master.key"), True), ("config/master.key", ("zip", "b.txt"), False),
     ("a.tgz", ("gzip", "tar", "zip", "base64"), False), ("a.tgz", ("gzip", "tar", "config/master.key", "base64"), True)],
)  # fmt: skip
def test_the_innermost_name_counts(path: str | None, way: tuple[str, ...], said: bool) -> None:
    (rule,) = [rule for rule in load_builtin().rules if rule.id == RULE]
    assert fits(rule, path, way) is said
    assert fits(rule._replace(paths=()), path, way)
