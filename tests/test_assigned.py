"""The anchors of values that are given to a name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.assigned import LOOKS, rare_anchor, tails


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("looks", LOOKS)
def test_the_anchor_of_a_rare_name_meets_all_that_the_others_do(looks: str, part: int) -> None:
    written = re.compile(f"(?ima)heslo(?:{tails(looks)[part]})")  # as text: it is text that hypothesis makes
    rare = re.compile(rare_anchor("heslo"))

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.from_regex(written))
    def meets(text: str) -> None:
        assert rare.search(text)

    meets()


def test_the_anchor_of_a_rare_name_is_wide_enough_for_the_widest_form() -> None:
    widest = "heslo" + "\\'" + " " * 24 + "\\'" + "default" + "\\'" + " " * 4 + '= "abcd1234"'
    assert re.search(f"(?im)heslo(?:{tails('any')[1]})", widest)
    assert re.search(rare_anchor("heslo"), widest)
