"""The configuration of a repository: `.keyleash.yaml` at its top, or the file given by `--config`.

It is read from the work tree by whoever runs Keyleash there; a key that is not known is
an error, because a misspelt exclusion would otherwise pass unseen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import RuleSet

NAME = ".keyleash.yaml"
_KEYS: Mapping[str, Mapping[str, type]] = {
    "rules": {"enable": list, "disable": list, "files": list},
    "paths": {"exclude": list},
}


class Config(NamedTuple):
    """What is in force: rule ids on and off, files with own rules, and gitignore patterns of paths to leave out."""

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    rule_files: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    file: str = ""

    def rules(self, builtin: RuleSet) -> RuleSet:
        """Return the built-in rules with the own ones, less what is switched off."""
        from scanner.errors import UsageError
        from scanner.rules import load, ruleset_of, select

        rules = builtin
        if self.rule_files:
            own = load(self.rule_files)
            names = {rule.id for rule in own.rules}
            rules = ruleset_of([*own.rules, *(rule for rule in builtin.rules if rule.id not in names)])
        try:
            return select(rules, self.enable, self.disable)
        except UsageError as problem:
            raise ConfigError(f"{self.file}: field 'rules': {problem}") from None

    def excluded(self) -> Callable[[str], bool] | None:
        """Return a test of paths, or None when no path is excluded. Patterns are those of gitignore."""
        if not self.exclude:
            return None
        from pathspec import GitIgnoreSpec

        try:
            return GitIgnoreSpec.from_lines(self.exclude).match_file
        except ValueError as problem:
            raise ConfigError(f"{self.file}: field 'paths.exclude': {problem}") from None


def load(file: str | None, top: str | None) -> Config:
    """Return the configuration in `file`, else in `.keyleash.yaml` of the folder `top`, else the empty one.

    Raises `ConfigError` naming the file, the line and the field.
    """
    if file is None:
        file = os.path.join(top, NAME) if top else None
        if file is None or not os.path.isfile(file):
            return Config()
        if os.path.islink(file):
            raise ConfigError(f"{file}: is a symbolic link; name the configuration with --config if you trust it")
        inside = os.path.realpath(top or ".")
    else:
        inside = None
    from scanner import yamlfile

    data = yamlfile.parse(yamlfile.read(file, "the configuration", ConfigError), file, ConfigError)
    settings = _config({} if data is None else data, file)
    for own in settings.rule_files if inside else ():
        if os.path.commonpath([inside or "", os.path.realpath(own)]) != inside:
            raise ConfigError(f"{file}: field 'rules.files': {own} leads out of the repository")
    return settings


def _config(data: Any, file: str) -> Config:
    from scanner.yamlfile import LINE, shown, suggestion

    if not isinstance(data, dict):
        raise ConfigError(f"{file}:1: a configuration is a mapping, with keys {', '.join(_KEYS)}")
    values: dict[str, tuple[str, ...]] = {}
    for section, content in data.items():
        if section == LINE:
            continue
        line = content.get(LINE, data[LINE]) if isinstance(content, dict) else data[LINE]
        if section not in _KEYS:
            raise ConfigError(f"{file}:{line}: field '{shown(section)}' is not known{suggestion(section, _KEYS)}")
        if not isinstance(content, dict):
            raise ConfigError(f"{file}:{line}: field '{section}' must be a mapping, with keys {', '.join(_KEYS[section])}")
        for key, value in content.items():
            if key == LINE:
                continue
            name = f"{section}.{shown(key)}"
            if key not in _KEYS[section]:
                raise ConfigError(f"{file}:{line}: field '{name}' is not known{suggestion(key, _KEYS[section])}")
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise ConfigError(f"{file}:{line}: field '{name}' must be a list of texts")
            values[name] = tuple(value)
    folder = os.path.dirname(os.path.realpath(file))
    return Config(
        enable=values.get("rules.enable", ()),
        disable=values.get("rules.disable", ()),
        rule_files=tuple(os.path.join(folder, name) for name in values.get("rules.files", ())),
        exclude=values.get("paths.exclude", ()),
        file=file,
    )
