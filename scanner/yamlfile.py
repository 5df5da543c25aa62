"""YAML with line numbers, so that a mistake in a rule or a configuration is named by its line.

PyYAML keeps the position of every node but drops it when it builds values; the loader
here keeps the line of each mapping, and refuses a key that stands twice, which PyYAML
lets the last one win silently.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import yaml

from scanner.errors import ScanError

LINE = "__line__"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is not a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", key_node.start_mark)
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=True)
        mapping[LINE] = node.start_mark.line + 1
        return mapping


def parse(text: bytes, name: str, error: type[ScanError]) -> Any:
    """Return the value of one YAML document; every mapping carries its first line under `LINE`.

    Raises `error` with `name` and the line when the text is not UTF-8 or not YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader underneath
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise error(f"{where}: not valid YAML: {problem.problem or problem.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(f"{name}: not valid YAML: {type(problem).__name__}") from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean …?)' for a word close to a known one, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
