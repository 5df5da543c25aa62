"""`keyleash rules docs`: the page that tells a reader what each rule looks for, made from the rules themselves.

Examples keep their placeholders: filled in they would be live-looking credentials in a
document that is committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from scanner.model import Rule, RuleSet

_HEAD = """\
# The rules

{rules} rules in {files} files, each with what it looks for, an example (placeholders in braces stand for the value), why it
matters and what to do. `keyleash rules docs > docs/rules.md` makes this page from the files in `rules/`, where
[README.md](../rules/README.md) tells how to write a rule; `keyleash rules show ID` shows one rule with all its examples.
"""
_FENCE = re.compile(r"`{3,}")
_CODE = re.compile(r"(`[^`]*`)")
_MARKUP = re.compile(r"[<>*]")


def page(rules: RuleSet) -> str:
    """Return the page, in Markdown, grouped by the file of a rule."""
    by_file = sorted(rules.rules, key=lambda rule: (rule.file, rule.id))
    groups = [(name.removesuffix(".yaml"), list(group)) for name, group in groupby(by_file, key=lambda rule: rule.file)]
    return "\n".join(_rows(groups, len(by_file)))


def _rows(groups: list[tuple[str, list[Rule]]], total: int) -> Iterator[str]:
    yield _HEAD.format(rules=total, files=len(groups))
    yield " · ".join(f"[{name}](#{name})" for name, _ in groups)
    for name, rules in groups:
        yield f"\n## {name}"
        for rule in rules:
            yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"\n### {rule.id}\n"
    yield f"{_plain(rule.name)}. Severity {rule.severity}, confidence {rule.confidence}.\n"
    yield f"**Why:** {_plain(rule.why)}\n"
    yield f"**What to do:** {_plain(rule.fix)}\n"
    confirmed = f", then confirmed by `{rule.confirm}`" if rule.confirm != "pattern" else ""
    looked = (rule.pattern,) if rule.pattern else rule.anchors
    yield f"Looked for{confirmed}:\n"
    yield from _block(looked)
    if rule.paths:
        yield "\nIn files called " + ", ".join(f"`{path}`" for path in rule.paths) + "."
    yield "\nExample:\n"
    yield from _block((rule.examples[0].rstrip(),))
    yield "\nSee " + ", ".join(f"<{address}>" for address in rule.references)


def _plain(text: str) -> str:
    """Return a text with what Markdown would take for markup made plain, except between backticks.

    >>> _plain("`<a>` and <b_c>")
    '`<a>` and \\\\<b_c\\\\>'
    """
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if number % 2 else _MARKUP.sub(r"\\\g<0>", part) for number, part in enumerate(parts))


def _block(texts: tuple[str, ...]) -> Iterator[str]:
    """Yield a block of code; its fence is longer than any in the texts."""
    longest = max((len(run) for text in texts for run in _FENCE.findall(text)), default=2)
    yield "`" * (longest + 1)
    yield from texts
    yield "`" * (longest + 1)
