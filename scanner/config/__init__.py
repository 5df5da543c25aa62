"""What a team has decided: `.keyleash.yaml` at the top of a repository, `[tool.keyleash]` of its pyproject.toml, or `--config`.

Reading and checking it (`scanner.config.file`) costs more than the scan of a commit, so the
result is kept in the cache folder, and believed while no file that it came from has changed.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scanner import __version__, cache
from scanner.errors import ConfigError
from scanner.model import LEVELS, NO_POLICY, Limits, Policy, Rule, RuleSet
from scanner.rules import rule_of, ruleset_of

NAME = ".keyleash.yaml"
PYPROJECT = "pyproject.toml"
USES = ("hook", "scan", "ci")

State = list[int] | None
"""Size, time of change and inode of a file, or None where there is none."""


class Config(NamedTuple):
    """What is in force.

    `enable` and `disable` are rule ids, `own` the team's own rules, `exclude` gitignore
    patterns of paths, `block` pairs of a use and the least severity that stops it.
    `digests` are those of the built-in rules and of the rules that came of them here.
    """

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    own: tuple[Rule, ...] = ()
    exclude: tuple[str, ...] = ()
    policy: Policy = NO_POLICY
    block: tuple[tuple[str, str], ...] = ()
    baseline: str = ""
    file: str = ""
    digests: tuple[str, str] = ("", "")

    def rules(self, builtin: RuleSet) -> RuleSet:
        """Return the built-in rules with the own ones, less what is switched off, and the policy."""
        if not (self.own or self.enable or self.disable or self.policy != NO_POLICY):
            return builtin
        own = {rule.id for rule in self.own}
        chosen = [
            rule
            for rule in (*self.own, *(rule for rule in builtin.rules if rule.id not in own))
            if (not self.enable or rule.id in self.enable) and rule.id not in self.disable
        ]
        if not chosen:
            raise ConfigError(f"{self.file}: field 'rules': no rule is left; 'disable' takes away all that 'enable' names")
        if self.digests[0] == builtin.digest:  # hashing them all again would cost a hook 10 ms
            return RuleSet(tuple(sorted(chosen, key=lambda rule: rule.id)), self.digests[1], self.policy)
        return ruleset_of(chosen, self.policy)

    def known(self, builtin: RuleSet) -> frozenset[str]:
        """Return the ids of all rules that there are, whether in force or not."""
        return frozenset(rule.id for rule in (*builtin.rules, *self.own))

    def excluded(self) -> Callable[[str], bool] | None:
        """Return a test of paths, or None when no path is excluded. Patterns are those of gitignore, with `/` everywhere."""
        if not self.exclude:
            return None
        spec: list[Any] = []

        def test(path: str) -> bool:
            if not spec:  # compiled when something was found: most commits never ask
                from pathspec import GitIgnoreSpec

                spec.append(GitIgnoreSpec.from_lines(self.exclude))
            return bool(spec[0].match_file(path))

        return test

    def threshold(self, use: str) -> str:
        """Return the least severity that stops a use: 'hook', 'scan' or 'ci'."""
        return dict(self.block).get(use, LEVELS[0])

    def says(self, builtin: RuleSet) -> str:
        """Return in words what is left out on purpose, for whoever reads a report; nothing when nothing is."""
        policy = self.policy
        kinds = ("secrets", policy.secrets), ("lines", policy.lines)
        parts = [f"{len(given)} pattern{'s' * (len(given) > 1)} of {what}" for what, given in kinds if given]
        parts += [f"{len(policy.stopwords)} stopword{'s' if len(policy.stopwords) > 1 else ''}"] if policy.stopwords else []
        parts += [f"what comments of {', '.join(policy.comments)} allow"] if policy.comments else []
        parts += [f"the rules {', '.join(self.disable)}"] if self.disable else []
        replaced = sorted({rule.id for rule in self.own} & {rule.id for rule in builtin.rules})
        parts += [f"the built-in rules {', '.join(replaced)}, for which it has others"] if replaced else []
        parts += [f"all rules but {', '.join(self.enable)}"] if self.enable else []
        return f"{os.path.basename(self.file)} leaves out: {'; '.join(parts)}" if parts else ""


def load(file: str | None, top: str | None) -> Config:
    """Return the configuration in `file`, else that of the folder `top`, else the empty one.

    Raises `ConfigError` naming the file, the line and the field.
    """
    places = candidates(file, top)
    if not places:
        return Config()
    made = [__version__, os.path.realpath(top) if top else "", *map(os.path.abspath, places), *trusted()]
    name = f"config-{zlib.crc32(os.fsencode(os.sep.join(made))):08x}.json"
    stored = _stored(cache.read(name), made)
    if stored is not None:
        return stored
    from scanner.config import file as configfile

    found = configfile.read(places, top)
    content = {"made": made, "files": found.files, "config": _plain(found.config)}
    cache.write(name, json.dumps(content).encode())
    return found.config


def candidates(file: str | None, top: str | None) -> list[str]:
    """Return the files in which the configuration may stand: the named one, else those of the folder that there are."""
    if file is not None:
        return [file]
    if not top:
        return []
    own, project = os.path.join(top, NAME), os.path.join(top, PYPROJECT)
    return [own] * os.path.lexists(own) + [project] * _is_mentioned(project)


def _is_mentioned(project: str) -> bool:
    """Whether a pyproject.toml can hold a configuration; most do not, and reading TOML takes time."""
    try:
        if not os.path.isfile(project):  # a link to /dev/stdin would take what git says to a hook
            return False
        with open(project, "rb") as file:
            return b"keyleash" in file.read(4 * 1024 * 1024)
    except OSError:
        return False


def state(file: str) -> State:
    """Return what tells whether a file is still the same."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def trusted() -> list[str]:
    """Return the folders that a repository's configuration may name files in: `KEYLEASH_TRUST`, else none."""
    named = os.environ.get("KEYLEASH_TRUST", "")
    return [os.path.realpath(folder) for folder in named.split(os.pathsep) if folder]


def _stored(kept: bytes | None, made: list[str]) -> Config | None:
    """Return a kept configuration, when it was made of the same and every file that it came from is as it was."""
    if kept is None:
        return None
    try:
        content = json.loads(kept)
        if content["made"] != made or any(state(file) != known for file, known in content["files"].items()):
            return None
        return _config_of(content["config"])
    except (ValueError, TypeError, KeyError):
        return None


def _plain(config: Config) -> dict[str, Any]:
    return config._asdict() | {"own": [rule._asdict() for rule in config.own], "policy": config.policy._asdict()}


def _config_of(row: Mapping[str, Any]) -> Config:
    policy = row["policy"]
    values: dict[str, Any] = {
        name: tuple(tuple(one) if isinstance(one, list) else one for one in value) if isinstance(value, list) else value
        for name, value in row.items()
    }
    values["own"] = tuple(rule_of(rule) for rule in row["own"])
    lists = {name: tuple(policy[name]) for name in ("comments", "secrets", "lines", "stopwords")}
    values["policy"] = Policy(**lists, limits=Limits(*policy["limits"]))
    return Config(**values)
