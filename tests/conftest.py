"""Real git repositories and real, freshly made credentials for the tests.

Nothing that looks like a live credential stands in a test: each is built when it is used.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from scanner.engine import ENGINES, Engine, open_engine
from scanner.examples import expand
from scanner.model import Blob, Match, Origin, Report, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.rules import load_builtin

# The same examples in every run: a test that fails now and then says nothing about a change.
hypothesis.settings.register_profile("keyleash", derandomize=True, deadline=None)
hypothesis.settings.load_profile("keyleash")

# What is started in the background of a script ignores Ctrl-C, and so does all that it starts; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty home, a cache of our own, and a git that knows a name and nothing else of this machine."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ann Author\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n'
    )
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT", "KEYLEASH"))]:
        patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    patch.setenv("KEYLEASH_CACHE", str(home / "cache"))
    patch.setenv("GIT_AUTHOR_DATE", "2026-01-02T03:04:05+00:00")
    patch.setenv("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+00:00")
    yield
    patch.undo()


class Repo:
    """A real repository in a temporary folder."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", *options)

    def git(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> str:
        result = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=False, input=stdin)
        assert not check or result.returncode == 0, result.stderr.decode()
        return result.stdout.decode("utf-8", "replace").strip()

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def stage(self, name: str, content: str | bytes) -> None:
        self.write(name, content)
        self.git("add", "--force", "--", name)

    def commit(self, name: str, content: str | bytes, message: str = "a change") -> str:
        self.stage(name, content)
        self.git("commit", "-q", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


class Secrets:
    """Credentials that are new in every test, and the same in every run."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def _expand(self, template: str) -> str:
        return expand(template, self._random.getrandbits(64))

    def aws_id(self, prefix: str = "AKIA") -> str:
        return self._expand(prefix + "Z{{base32:15}}")

    def aws_secret(self) -> str:
        from scanner.confirm.aws import plausible_secret

        while not plausible_secret((secret := self._expand("{{secret:40}}")).encode()):
            pass
        return secret

    def aws_file(self) -> str:
        return f"[default]\naws_access_key_id = {self.aws_id()}\naws_secret_access_key = {self.aws_secret()}\n"

    def password(self) -> str:
        return self._expand("Kq{{alnum:10}}7!")

    def mail(self) -> str:
        return (
            "Dear team,\nhere is your access to the AWS console.\n\n"
            f"User name: team7\nPassword: {self.password()}\n"
            f"https://{self._expand('{{digits:12}}')}.signin.aws.amazon.com/console\n"
        )

    def pem(self, kind: str = "pkcs8") -> str:
        return self._expand("{{pem:" + kind + "}}")


@pytest.fixture
def secrets(request: pytest.FixtureRequest) -> Secrets:
    return Secrets(request.node.nodeid)


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    return load_builtin()


@pytest.fixture(scope="session", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, rules: RuleSet) -> Engine:
    """Each of the engines in turn."""
    return open_engine(rules, request.param)


Find = Callable[[str | bytes], list[Match]]


@pytest.fixture
def find(engine: Engine, rules: RuleSet) -> Find:
    """The matches of a text, at their places in it, on each of the engines; nothing may be skipped."""

    def search(text: str | bytes) -> list[Match]:
        data = text.encode() if isinstance(text, str) else text
        found = []
        for result in matches(Blob(data, Origin("test")), engine, rules):
            assert not isinstance(result, Skipped), result
            match, chunk = result
            place = chunk.offset_of or int
            found.append(match._replace(start=place(match.start), end=place(match.end)))
        return found

    return search


def keyleash(
    *arguments: str | Path, cwd: Path | None = None, stdin: bytes | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the real command and return what it printed and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "scanner", *map(str, arguments)],
        cwd=cwd, input=None if stdin is None else stdin.decode("utf-8", "surrogateescape"), capture_output=True, check=False,
        encoding="utf-8", errors="surrogateescape", env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )  # fmt: skip


SLOW = {"git", "rich", "cryptography", "jinja2", "yaml", "click", "pathspec", "dataclasses", "inspect"}
"""Packages and modules that a hook has no time to import."""


def imported_by_hook(repo: Repo) -> set[str]:
    """Run the hook, which must find nothing, and return the modules it imported, with the packages they are in."""
    code = "import sys; from scanner.cli import main; code = main(['hook']); print(code, *sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=repo.path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    exit_code, *modules = result.stdout.split()
    assert exit_code == "0"
    return {*modules, *(name.split(".")[0] for name in modules)}


def rule_ids(report: Report) -> list[str]:
    return sorted(finding.rule.id for finding in report.findings)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of this source tree as it stands, for pre-commit to install from, once for all test processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    os.environ["PRE_COMMIT_HOME"] = str(root / "pre-commit")
    with open(root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "ours").exists():
            clone = Repo(root / "ours")
            listing = subprocess.run(
                ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                cwd=ROOT, capture_output=True, check=True,
            )  # fmt: skip
            for name in filter(None, listing.stdout.decode().split("\0")):
                if (ROOT / name).is_file():
                    clone.write(name, (ROOT / name).read_bytes())
            clone.git("add", "-A")
            clone.git("commit", "-q", "-m", "as it stands")
            (clone.path / ".git" / "whole").touch()
        assert (root / "ours" / ".git" / "whole").exists()
    return root / "ours"


class Team(Repo):
    """A repository with our hook installed by pre-commit."""

    def pre_commit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", *arguments], cwd=self.path, capture_output=True, text=True, check=False
        )

    def try_commit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "commit", "-m", "a change", *arguments], cwd=self.path, capture_output=True, text=True, check=False
        )


@pytest.fixture
def team(installed: Path, tmp_path: Path) -> Team:
    team = Team(tmp_path / "team")
    rev = subprocess.run(["git", "rev-parse", "HEAD"], cwd=installed, capture_output=True, text=True, check=True).stdout.strip()
    config = f"repos:\n  - repo: {installed}\n    rev: {rev}\n    hooks:\n      - id: keyleash\n"
    team.stage(".pre-commit-config.yaml", config)
    result = team.pre_commit("install")
    assert result.returncode == 0, result.stdout + result.stderr
    return team
