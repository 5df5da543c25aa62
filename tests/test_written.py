"""The marks of values in the forms of rule files, and the anchors that stand for them."""

from __future__ import annotations

import re

import pytest

from scanner.written import anchor, pattern, wrong

LETTERS = "AbcdefghijkLmnopqrstuvwx"
MIXED = "Ab3dEf6hIj9kLm2nOp5qRs8t"


def read(mark: str, text: str) -> str | None:
    match = re.match(pattern(f"(?P<name>key) %{mark}%"), f"key {text}")
    return match["bare"] if match else None


@pytest.mark.parametrize(
    ("mark", "text", "value"),
    [
        ("token", MIXED, MIXED),
        ("token", MIXED + ". Then", MIXED),
        ("token", MIXED[:20], MIXED[:20]),
        ("token", MIXED[:19], None),
        ("token", MIXED + ".next", None),
        ("token", MIXED + "()", None),
        ("token", LETTERS, None),
        ("token", LETTERS + "7", None),
        ("token", LETTERS + "77", LETTERS + "77"),
        ("drawn", MIXED, MIXED),
        ("drawn", MIXED.lower(), None),
        ("drawn", MIXED.upper(), None),
        ("drawn", LETTERS, None),
        ("drawn", "3f" * 20, None),
        ("hex", "3f" * 16, "3f" * 16),
        ("hex", "3F" * 16, None),
        ("hex", "3f" * 20, None),
    ],
)
def test_what_a_mark_reads(mark: str, text: str, value: str | None) -> None:
    assert read(mark, text) == value
    assert value is None or re.search(anchor(f"(?P<name>key) %{mark}%"), f"key {text}")


def test_what_may_not_stand_before_a_form_is_no_part_of_its_anchor() -> None:
    form = "(?<!cache )(?<!host )(?P<name>key) %drawn%"
    assert "(?<" not in anchor(form)
    assert re.search(pattern(form), f"the key {MIXED}")
    assert not re.search(pattern(form), f"the cache key {MIXED}")


def test_a_mark_that_cannot_go_on_is_wrong() -> None:
    assert wrong("(?P<name>key) %drawn+%")
    assert wrong("(?P<name>key) %token+%x") is None
