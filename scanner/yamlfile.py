"""YAML with line numbers, so that a mistake in a rule or a configuration is named by its line.

PyYAML keeps the position of every node but drops it when it builds values; the loader
here keeps the line of each mapping, and refuses a key that stands twice, which PyYAML
lets the last one win silently.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from scanner.errors import ScanError

LINE = "__line__"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # a few lines of these can stand for gigabytes
                raise yaml.constructor.ConstructorError(None, None, "the merge key '<<' is not read", key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, "a key is not a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{shown(key)}' stands twice", key_node.start_mark)
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=True)
        mapping[LINE] = node.start_mark.line + 1
        return mapping


MAX_BYTES = 4 * 1024 * 1024
"""A file of rules or settings that is larger is none, whatever it says."""


def read(file: str, what: str, error: type[ScanError]) -> bytes:
    """Return the content of a small regular file; `what` says in the error what it should have been."""
    try:
        if not os.path.exists(file):
            raise error(f"{file}: cannot read {what}: No such file or directory")
        if not os.path.isfile(file) or os.path.getsize(file) > MAX_BYTES:
            raise error(f"{file}: cannot read {what}: it is no file of at most {MAX_BYTES:,} bytes")
        with open(file, "rb") as stream:
            return stream.read(MAX_BYTES)
    except OSError as problem:
        raise error(f"{file}: cannot read {what}: {problem.strerror}") from None


DEEPEST = 100
"""Levels of a document. libyaml's loader calls itself for each, and ends the process where the stack does."""


def shown(word: str) -> str:
    """Return a word of a file for an error message, cut where it is too long to be one: it may be a secret.

    >>> shown("disabled")
    'disabled'
    """
    return word if len(word) <= 20 else f"{word[:4]}…"


def parse(text: bytes, name: str, error: type[ScanError]) -> Any:
    """Return the value of one YAML document; every mapping carries its first line under `LINE`.

    Raises `error` with `name` and the line when the text is not UTF-8 or not YAML.
    """
    try:
        if max(map(text.count, (b"[", b"{", b"- ", b"? "))) > DEEPEST and _is_deep(text):
            raise error(f"{name}: not valid YAML: more than {DEEPEST} levels stand in each other")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader underneath
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise error(f"{where}: not valid YAML: {problem.problem or problem.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(f"{name}: not valid YAML: {_why(problem)}") from None


def _why(problem: Exception) -> str:
    return "it holds characters that no text has" if isinstance(problem, yaml.reader.ReaderError) else type(problem).__name__


def _is_deep(text: bytes) -> bool:
    """Whether a document has more levels than `DEEPEST`. Events are read without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean …?)' for a word close to a known one, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def line_of(text: bytes, path: Sequence[str | int]) -> int:
    """Return the line of the key, or list entry, that a path leads to in a YAML document that was parsed already.

    >>> line_of(b"a:\\n  b: 1\\n  c:\\n  - x\\n  - y\\n", ["a", "c", 1])
    5
    """
    node = yaml.compose(text, Loader=_Loader)
    line = 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node.value[step], node.value[step]
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
