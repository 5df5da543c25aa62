"""`keyleash rules` and `keyleash version`: what is looked for, and whether own rules are right."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from scanner import __version__
from scanner.engine import ENGINES, open_engine
from scanner.errors import RuleError
from scanner.examples import placed
from scanner.filters import fits
from scanner.model import Blob, Origin, Rule, RuleSet, Skipped
from scanner.pipeline import matches
from scanner.rules import load, load_builtin, select
from scanner.sinks.words import count


def run(options: argparse.Namespace) -> int:
    """Carry out `rules list`, `rules show`, `rules docs`, `rules check` or `version`."""
    if options.command == "version":
        return _version()
    if options.action == "list":
        _list(load_builtin())
    elif options.action == "show":
        _show(select(load_builtin(), [options.id]).rules[0])
    elif options.action == "docs":
        from scanner.commands.rules_docs import page

        print(page(load_builtin()))
    else:
        return _check(options.files)
    return 0


def _version() -> int:
    """Show what decides a result: version, engine, rules."""
    rules = load_builtin()
    print(f"keyleash {__version__}\nengine {open_engine(rules).name}\nrules {len(rules.rules)}\ndigest {rules.digest}")
    return 0


def _list(rules: RuleSet) -> None:
    width = max(len(rule.id) for rule in rules.rules)
    for rule in rules.rules:
        print(f"{rule.id:<{width}}  {rule.severity:<8}  {rule.name}")


def _show(rule: Rule) -> None:
    print(f"{rule.id}: {rule.name}\n")
    print(f"severity    {rule.severity}\nconfidence  {rule.confidence}\nfile        rules/{rule.file}\n")
    print(f"Why it matters: {rule.why}\n\nWhat to do: {rule.fix}\n")
    if rule.confirm != "pattern":
        print(f"Looked for where one of these stands, and then confirmed by '{rule.confirm}':")
    for anchor in rule.anchors if rule.confirm != "pattern" else (rule.pattern,):
        print(f"    {anchor}")
    if rule.paths:
        print(f"In files called: {', '.join(rule.paths)}")
    for title, texts in (("Found", rule.examples), ("Not found", rule.negatives)):
        print(f"\n{title} (placeholders in braces):")
        for text in texts:
            print("    " + text.rstrip().replace("\n", "\n    "))
    print("\n" + "\n".join(rule.references))


def _check(files: list[str]) -> int:
    rules = load(files)
    if not rules.rules:
        raise RuleError(f"{', '.join(files)}: there is no rule in it")
    problems = list(check(rules))
    for problem in problems:
        print(problem)
    if problems:
        return 2
    engines = " and ".join(ENGINES)
    said = count(len(rules.rules), "rule is", "rules are")
    print(f"{said} right: every example is found and every negative is not, on {engines}.")
    from scanner.commands.rules_check import costs, overlaps

    builtin = load_builtin()
    for line in (*overlaps(rules, builtin), *costs(rules, builtin)):
        print(line)
    return 0


def check(rules: RuleSet) -> Iterator[str]:
    """Yield a line for each example that is missed and each negative that is found, on every engine.

    An example must be found by its own rule, and no negative may be.
    """
    for name in ENGINES:
        engine = open_engine(rules, name)
        for rule in rules.rules:
            for kind, texts in (("example", rule.examples), ("negative", rule.negatives)):
                for number, template in enumerate(texts, 1):
                    try:
                        path, text = placed(template)
                    except ValueError as problem:
                        raise RuleError(f"{rule.file}: rule '{rule.id}': {kind} {number}: {problem}") from None
                    found = [match for match in matches(Blob(text.encode(), Origin("example")), engine, rules)
                             if not isinstance(match, Skipped) and match[0].rule.id == rule.id
                             and fits(rule, path, match[1].way)]  # fmt: skip
                    if bool(found) != (kind == "example"):
                        yield (f"{rule.file}: rule '{rule.id}': {kind} {number} is {'found' if found else 'not found'} "
                               f"by the {name} engine: {template.splitlines()[0]}")  # fmt: skip
