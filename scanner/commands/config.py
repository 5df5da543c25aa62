"""`keyleash config`: what is in force here and who says so, and the schema of a configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

from scanner import config, gitcommand
from scanner.config import Config
from scanner.config import file as configfile
from scanner.config.file import Setting
from scanner.errors import UsageError
from scanner.model import LEVELS, Limits
from scanner.rules import load_builtin
from scanner.sinks.escape import visible
from scanner.sinks.words import count

DEFAULT = "default"


def run(options: argparse.Namespace) -> int:
    """Carry out `config show` or `config schema`."""
    if options.action == "schema":
        sys.stdout.write(schema())
        return 0
    for line in _shown(options):
        print(visible(line))
    return 0


def schema() -> str:
    """Return the JSON Schema that the wheel carries."""
    place = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "keyleash-config.schema.json")
    with open(place, encoding="utf-8") as file:
        return file.read()


def _shown(options: argparse.Namespace) -> Iterator[str]:
    if not os.path.isdir(options.path):
        raise UsageError(f"{options.path}: is no folder")
    around = gitcommand.find(options.path)
    top = around.work_tree if around and around.work_tree else options.path
    places = config.candidates(options.config, top)
    found = configfile.read(places, top) if places else configfile.Found(Config(), {}, ())
    said = os.path.relpath(found.config.file, top) if found.config.file else f"none in {top}; the defaults hold"
    yield f"Configuration: {said}"
    for field, rows in _fields(found.settings):
        yield f"{field}"
        width = max(len(value) for value, _ in rows)
        for value, where in rows:
            yield f"    {value:<{width}}   {_near(where, top)}"
    rules = found.config.rules(load_builtin())
    yield f"{count(len(rules.rules), 'rule')} in force; digest {rules.digest}"


def _near(where: str, top: str) -> str:
    return where if where == DEFAULT else os.path.relpath(os.path.abspath(where), os.path.abspath(top))


def _fields(settings: tuple[Setting, ...]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each field with its values in force and where each is said, the defaults of single values too."""
    lists: dict[str, dict[str, str]] = {}
    single: dict[str, tuple[str, str]] = {f"block.{use}": (LEVELS[0], DEFAULT) for use in config.USES}
    single |= {f"limits.{name.replace('_', '-')}": (str(value), DEFAULT) for name, value in Limits()._asdict().items()}
    for field, value, where in settings:
        if field == "block":
            single |= {f"block.{use}": (value, where) for use in config.USES}
        elif field == "rules.enable":
            lists[field] = dict.fromkeys(value, where)
        elif isinstance(value, list):
            for one in value:
                lists.setdefault(field, {}).setdefault(_name(one), where)
        else:
            single[field] = str(value), where
    for field in sorted([*lists, *single]):
        yield field, list(lists[field].items()) if field in lists else [single[field]]


def _name(value: Any) -> str:
    return str(value.get("id")) if isinstance(value, dict) else str(value)
