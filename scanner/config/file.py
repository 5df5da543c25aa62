"""Reading and checking a configuration: YAML or TOML in, a `Config` out, with the place of every setting in it.

A key that is not known is an error, because a misspelt exclusion would otherwise pass
unseen. A file inside the scanned repository may name only files inside it: it may come
from a stranger, and what is wrong in a file that it names would be told in a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from scanner import yamlfile
from scanner.config import NAME, PYPROJECT, USES, Config, State, state, trusted
from scanner.errors import ConfigError, RuleError
from scanner.filters import COMMENTS
from scanner.model import LEVELS, Limits, Policy, Rule, RuleSet
from scanner.rules import load, load_builtin, rules_of, ruleset_of
from scanner.yamlfile import LINE, shown, suggestion

FIELDS: Mapping[str, tuple[str, ...]] = {
    "extends": (),
    "rules": ("enable", "disable", "files", "own"),
    "paths": ("exclude",),
    "exclude": ("secrets", "lines", "stopwords"),
    "comments": (),
    "block": USES,
    "limits": ("encodings", "archives", "members", "archive-bytes"),
    "baseline": (),
}
"""The keys of a configuration, each with the keys of its mapping, or none for a value."""

MOST = {"encodings": 8, "archives": 16, "members": 1_000_000, "archive-bytes": 16 * 1024**3}
"""A limit may be raised so far; `scanner.model.Limits` has what holds without one."""

MAX_FILES = 32
"""Files that one configuration may be made of."""

Path = tuple[str | int, ...]


class Setting(NamedTuple):
    """One thing that a file says: the field ('rules.disable'), the value, and where, as file:line."""

    field: str
    value: Any
    where: str


class Found(NamedTuple):
    """A configuration, the state of each file that it was made of, and what said what, the furthest base first."""

    config: Config
    files: dict[str, State]
    settings: tuple[Setting, ...]


def read(places: Sequence[str], top: str | None) -> Found:
    """Read the configuration at one of `places` (`.keyleash.yaml`, or a pyproject.toml, or a named file).

    `top` is the folder that is scanned. Raises `ConfigError` naming the file, the line and the field.
    """
    reading = _Reading(os.path.realpath(top) if top else None)
    files = {place: reading.open(place) for place in places}
    said = [place for place, content in files.items() if content is not None]
    if len(said) > 1:
        raise ConfigError(f"{said[1]}: [tool.keyleash] stands here, and {said[0]} is there too; keep one of them")
    settings = tuple(reading.settings(said[0], files[said[0]], ())) if said else ()
    config = _config(settings, said[0] if said else "", reading)
    return Found(config, reading.files, settings)


class _Content(NamedTuple):
    """What a file holds, before it is checked."""

    name: str
    text: bytes
    data: Any

    def where(self, path: Path) -> str:
        """Return file:line of what a path of keys leads to."""
        if self.name.endswith(".toml"):
            return f"{self.name}:{_toml_line(self.text, path)}"
        return f"{self.name}:{yamlfile.line_of(self.text, path)}"

    def wrong(self, path: Path, reason: str) -> ConfigError:
        field = ".".join(shown(str(step)) for step in path if isinstance(step, str))
        return ConfigError(f"{self.where(path)}: field '{field}'{reason if reason.startswith(':') else f' {reason}'}")


class _Reading:
    """The files read so far, and which folder holds what a stranger may have written."""

    def __init__(self, inside: str | None) -> None:
        self.inside = inside
        self.files: dict[str, State] = {}

    def open(self, file: str) -> _Content | None:
        """Return a file's content, or None for a pyproject.toml without a table of ours."""
        self.watch(file)
        own = os.path.basename(file) == NAME
        if own and os.path.islink(file) and _within(os.path.realpath(os.path.dirname(file) or "."), self.inside):
            raise ConfigError(f"{file}: is a symbolic link; name the configuration with --config if you trust it")
        text = yamlfile.read(file, "the configuration", ConfigError)
        if not file.endswith(".toml"):
            return _Content(file, text, yamlfile.parse(text, file, ConfigError))
        data = _toml(text, file)
        if os.path.basename(file) != PYPROJECT:
            return _Content(file, text, data)
        tool = data.get("tool")
        table = tool.get("keyleash") if isinstance(tool, dict) else None
        return None if table is None else _Content(file, text, table)

    def watch(self, file: str) -> None:
        if len(self.files) >= MAX_FILES:
            raise ConfigError(f"{file}: the configuration is made of more than {MAX_FILES} files")
        self.files.setdefault(os.path.abspath(file), state(file))

    def settings(self, file: str, content: _Content | None, chain: tuple[str, ...]) -> Iterator[Setting]:
        """Yield what a file says, and before it what the files say that it extends."""
        if content is None:
            raise ConfigError(f"{file}: there is no [tool.keyleash] in it")
        chain = (*chain, os.path.realpath(file))
        own = list(_checked(content))
        for setting in own:
            if setting.field != "extends":
                continue
            for base, place in self._named(setting, file):
                if os.path.realpath(place) in chain:
                    names = " → ".join(os.path.relpath(one, os.path.dirname(chain[0])) for one in (*chain, place))
                    raise ConfigError(f"{setting.where}: field 'extends' leads back to itself: {names}")
                if not os.path.isfile(place):
                    raise ConfigError(f"{setting.where}: field 'extends': there is no file {base}")
                yield from self.settings(place, self.open(place), chain)
        for setting in own:
            if setting.field == "rules.files":
                value = [(name, place) for name, place in self._named(setting, file)]
                yield setting._replace(value=[self._rule_file(setting, *pair) for pair in value])
            elif setting.field == "baseline":
                ((_, place),) = self._named(setting, file)
                yield setting._replace(value=place)
            elif setting.field != "extends":
                yield setting

    def _named(self, setting: Setting, file: str) -> list[tuple[str, str]]:
        """Return the files that a setting names, as written and from here. Raises for one that may not be read."""
        names = setting.value if isinstance(setting.value, list) else [setting.value]
        places = [(name, os.path.join(os.path.dirname(file), os.path.expanduser(name))) for name in names]
        for name, place in places:
            if _within(os.path.realpath(file), self.inside):
                allowed = [self.inside or "", *trusted()]
                if not any(_within(os.path.realpath(place), folder) for folder in allowed):
                    raise ConfigError(
                        f"{setting.where}: field '{setting.field}': {name} leads out of the repository; copy it into it, "
                        "or name its folder in KEYLEASH_TRUST"
                    )
        return places

    def _rule_file(self, setting: Setting, name: str, place: str) -> str:
        if not os.path.exists(place):
            raise ConfigError(f"{setting.where}: field 'rules.files': there is no file {name}")
        self.watch(place)
        if os.path.isdir(place):
            for entry in sorted(os.listdir(place)):
                if entry.endswith(".yaml"):
                    self.watch(os.path.join(place, entry))
        return place


def _checked(content: _Content) -> Iterator[Setting]:
    """Yield every setting of one file. Raises `ConfigError` for a key or a value that is none."""
    data = {} if content.data is None else content.data
    if not isinstance(data, dict):
        raise ConfigError(f"{content.name}:1: a configuration is a mapping, with keys {', '.join(FIELDS)}")
    for section, value in data.items():
        if section == LINE:
            continue
        if section not in FIELDS:
            raise content.wrong((section,), f"is not known{suggestion(section, FIELDS)}")
        keys = FIELDS[section]
        if not keys or (section == "block" and isinstance(value, str)):
            yield _setting(content, (section,), value)
            continue
        if not isinstance(value, dict):
            raise content.wrong((section,), f"must be a mapping, with keys {', '.join(keys)}")
        for key, inner in value.items():
            if key == LINE:
                continue
            if key not in keys:
                raise content.wrong((section, key), f"is not known{suggestion(key, keys)}")
            yield _setting(content, (section, key), inner)


def _setting(content: _Content, path: Path, value: Any) -> Setting:
    """Return one setting whose value has the form that its field asks for."""
    field = ".".join(map(str, path))
    if field == "rules.own":
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise content.wrong(path, "must be a list of rules, each beginning with '- id:'")
    elif path[0] == "limits":
        most = MOST[str(path[1])]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise content.wrong(path, f"must be a number from 0 to {most}")
    elif path[0] == "block":
        if value not in LEVELS:
            close = suggestion(value, LEVELS) if isinstance(value, str) else ""
            raise content.wrong(path, f"must be one of {', '.join(LEVELS)}{close}")
    elif field == "baseline" or (field == "extends" and isinstance(value, str)):
        if not isinstance(value, str) or not value.strip():
            raise content.wrong(path, "must be the name of a file")
    else:
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            raise content.wrong(path, "must be a list of texts")
        _check_texts(content, path, value)
    return Setting(field, value, content.where(path))


def _check_texts(content: _Content, path: Path, texts: list[str]) -> None:
    """Raise for a text that is no pattern, or no name that is known, where one is due."""
    for number, text in enumerate(texts):
        place = (*path, number)
        if path[0] == "comments" and text not in COMMENTS:
            raise content.wrong(place, f": '{shown(text)}' is not one of {', '.join(COMMENTS)}{suggestion(text, COMMENTS)}")
        if path == ("paths", "exclude"):
            from pathspec import GitIgnoreSpec

            try:
                GitIgnoreSpec.from_lines([text])
            except ValueError as problem:
                raise content.wrong(place, f": {problem}") from None
            if re.search(r"(?<!\\)(?:\\\\)*\\[A-Za-z0-9_]", text):
                raise content.wrong(place, ": a path is written with '/' on all systems, as in .gitignore")
        if path[0] == "exclude" and path[1] != "stopwords":
            _check_pattern(content, place, text)


def _check_pattern(content: _Content, place: Path, text: str) -> None:
    import regex

    from scanner.filters import compiled

    try:
        pattern = compiled(text)
    except (regex.error, OverflowError, RecursionError) as problem:
        raise content.wrong(place, f": is not a pattern: {problem}") from None
    if pattern.fullmatch(b""):
        raise content.wrong(place, ": matches the empty text, and so everything")


def _config(settings: Sequence[Setting], file: str, reading: _Reading) -> Config:
    """Join what the files say: lists add up, of single values and of 'rules.enable' the nearest counts."""
    lists: dict[str, list[str]] = {}
    single: dict[str, Any] = {}
    own: list[Rule] = []
    for field, value, where in settings:
        if field == "rules.own":
            own = _joined(own, _rules(partial(_own, value, where)))
        elif field == "rules.files":
            own = _joined(own, _rules(partial(load, value)))
        elif field == "block":
            single |= {f"block.{use}": value for use in USES}
        elif isinstance(value, list) and field != "rules.enable":
            lists.setdefault(field, []).extend(one for one in value if one not in lists.get(field, []))
        else:
            single[field] = value
    limits = Limits(**{name.replace("-", "_"): single[f"limits.{name}"] for name in MOST if f"limits.{name}" in single})
    names = ("comments", "exclude.secrets", "exclude.lines", "exclude.stopwords")
    comments, secrets, lines, stopwords = (tuple(lists.get(name, ())) for name in names)
    policy = Policy(comments, secrets, lines, stopwords, limits)
    config = Config(
        enable=tuple(single.get("rules.enable", ())),
        disable=tuple(lists.get("rules.disable", ())),
        own=tuple(own),
        exclude=tuple(lists.get("paths.exclude", ())),
        policy=policy,
        block=tuple((use, single[f"block.{use}"]) for use in USES if f"block.{use}" in single),
        baseline=single.get("baseline", ""),
        file=file,
    )
    builtin = load_builtin()
    _check_names(settings, config, builtin)
    return config._replace(digests=(builtin.digest, config.rules(builtin).digest))


def _joined(rules: list[Rule], more: Sequence[Rule]) -> list[Rule]:
    """Return both, the later where an id stands in both."""
    names = {rule.id for rule in more}
    return [*(rule for rule in rules if rule.id not in names), *more]


def _own(entries: list[dict[str, Any]], where: str) -> RuleSet:
    file, _, line = where.rpartition(":")
    return ruleset_of(rules_of([{LINE: int(line)} | entry for entry in entries], file))


def _rules(read: Callable[[], RuleSet]) -> list[Rule]:
    """Return rules as they are read, with their errors as errors of the configuration."""
    try:
        rules = read().rules
    except RuleError as problem:
        raise ConfigError(str(problem)) from None
    names = [rule.id for rule in rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"{rules[0].file}: the rule '{twice}' stands twice; rename one")
    return list(rules)


def _check_names(settings: Sequence[Setting], config: Config, builtin: RuleSet) -> None:
    known = config.known(builtin)
    for field, value, where in settings:
        for name in value if field in ("rules.enable", "rules.disable") else ():
            if name not in known:
                raise ConfigError(
                    f"{where}: field '{field}': no rule is called '{shown(name)}'{suggestion(name, known)}; "
                    "'keyleash rules list' names them"
                )


def _within(path: str, folder: str | None) -> bool:
    return folder is not None and (path == folder or path.startswith(folder.rstrip(os.sep) + os.sep))


def _toml(text: bytes, name: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: not valid TOML: it is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        place = str(problem).rpartition("(at line ")[2].partition(",")[0]
        where = f"{name}:{place}" if place.isdigit() else name
        raise ConfigError(f"{where}: not valid TOML") from None


def _toml_line(text: bytes, path: Path) -> int:
    """Return the line on which a key of `[tool.keyleash]` stands; the library that reads TOML keeps none.

    >>> _toml_line(b'[tool.keyleash]\\nbaseline = "b"\\n[tool.keyleash.rules]\\ndisable = []\\n', ("rules", "disable"))
    4
    """
    lines = text.decode("utf-8", "replace").splitlines()
    best = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[") and "keyleash" in line), 0)
    for step in path:
        if isinstance(step, int):
            break
        best = next((number for number in range(best, len(lines)) if _names(lines[number], step)), best)
    return best + 1


def _names(line: str, key: str) -> bool:
    """Whether a line of TOML sets a key, or begins a table whose name holds it."""
    head = line.partition("]")[0] if line.lstrip().startswith("[") else line.partition("=")[0]
    return key in head.replace(".", " ").replace("[", " ").replace('"', " ").replace("'", " ").split()
