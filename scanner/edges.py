"""Whether a pattern minds that its text stands in a longer buffer.

The history source joins pieces of many texts with line feeds. For most patterns a line
feed is as good as the end of the text; for the others the ends are looked at separately.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from typing import Any

from scanner import cache
from scanner.model import RuleSet
from scanner.rules import load_builtin

_LINE_FEED = 10
_LINE_ENDS = (sre.AT_BEGINNING, sre.AT_END)
_WITH_LINE_FEED = (sre.CATEGORY_SPACE, sre.CATEGORY_NOT_DIGIT, sre.CATEGORY_NOT_WORD)
_BOUNDARIES = (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY)


def any_bound(rules: RuleSet) -> bool:
    """Whether an anchor of the rules is `edge_bound`. To read them all takes a second, so the answer is kept."""
    name = f"{rules.digest[:32]}-{cache.stamp(__file__)}.edges"
    kept = cache.read(name)
    if kept in (b"0", b"1"):
        return kept == b"1"
    builtin = load_builtin()
    if rules.digest == builtin.digest:
        answer = any(edge_bound(anchor) for rule in rules.rules for anchor in rule.anchors)
    else:  # to say yes where most rules are left out costs time, and nothing else
        known = {rule.anchors for rule in builtin.rules}
        answer = any_bound(builtin) or any(
            edge_bound(anchor) for rule in rules.rules if rule.anchors not in known for anchor in rule.anchors
        )
    cache.write(name, b"01"[answer : answer + 1])
    return answer


def edge_bound(pattern: str) -> bool:
    r"""Whether the text's end may let a pattern match where a line feed in its place would not.

    So it is for `\A`, for `^` and `$` outside of multiline mode, save for a `^` where a line feed will do, and for a
    negative lookaround that a line feed can take part in. In doubt the answer is yes.

    >>> [edge_bound(text) for text in (r"\bkey(?![a-z])", r"(?m)^key$", r"^key", r"(?:^|\n)key", r"key(?!\s)")]
    [False, False, True, False, True]
    """
    tree = sre_parser.parse(pattern.encode("latin-1"))
    return _bound(tree, bool(tree.state.flags & re.MULTILINE))


def _bound(node: Any, multiline: bool) -> bool:
    """Visit every operation of a pattern's tree; its nodes are nested tuples and lists."""
    if isinstance(node, tuple) and len(node) == 2:
        operation, argument = node
        if operation is sre.AT:
            return not (argument in _BOUNDARIES or (multiline and argument in _LINE_ENDS))
        if operation is sre.ASSERT_NOT:
            return _takes_line_feed(argument[1])
        if operation is sre.BRANCH:
            branches = [list(branch) for branch in argument[1]]
            if [(sre.LITERAL, _LINE_FEED)] in branches:
                node = [branch for branch in branches if branch != [(sre.AT, sre.AT_BEGINNING)]]
    return isinstance(node, tuple | list | sre_parser.SubPattern) and any(_bound(part, multiline) for part in node)


def _takes_line_feed(node: Any) -> bool:
    if isinstance(node, tuple) and len(node) == 2:
        operation, argument = node
        if operation is sre.LITERAL:
            return bool(argument == _LINE_FEED)
        if operation is sre.NOT_LITERAL:
            return bool(argument != _LINE_FEED)
        if operation is sre.IN:
            return _in_class(argument)
        if operation in (sre.ANY, sre.AT, sre.GROUPREF):
            return True
    return isinstance(node, tuple | list | sre_parser.SubPattern) and any(_takes_line_feed(part) for part in node)


def _in_class(items: Any) -> bool:
    member = negated = False
    for operation, argument in items:
        negated |= operation is sre.NEGATE
        member |= (
            (operation is sre.LITERAL and argument == _LINE_FEED)
            or (operation is sre.RANGE and argument[0] <= _LINE_FEED <= argument[1])
            or (operation is sre.CATEGORY and argument in _WITH_LINE_FEED)
        )
    return member != negated
