"""Rules: YAML files in, a validated `RuleSet` with a digest out.

A rule's pattern, reason, remedy and tests live in one file, and a rule that lacks one of
them is refused here, at load time. Reading YAML costs more than a whole small scan, so
the built-in set is kept in the cache folder.
"""

from __future__ import annotations

import functools
import json
import marshal
import os
import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
import sys
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from scanner import __version__, assigned, cache, written
from scanner.errors import RuleError, UsageError
from scanner.model import LEVELS, NO_POLICY, Policy, Rule, RuleSet

MAX_WIDTH = 1024
"""The longest anchor in bytes. The history source widens a delta's new ranges by it."""

CONFIRMATIONS = (
    "pattern",
    "aws-key-id",
    "aws-secret-key",
    "aws-session-token",
    "aws-bedrock",
    "aws-presigned",
    "aws-smtp",
    "basic-auth",
    "private-key",
    "pgp-private-key",
    "age-secret-key",
    "wireguard-private-key",
    "minisign-secret-key",
    "key-store",
    "console-password",
    "grafana-token",
    "json-token",
    "intercom-token",
    "github-token",
    "gitlab-token",
    "pypi-token",
    "discord-token",
    "cloudflare-tunnel",
    "1password-token",
    "supabase-key",
    "kubernetes-token",
    "matrix-token",
    "packagist-token",
    "bitcoin-key",
    "extended-key",
    "nostr-key",
    "stellar-seed",
    "xrp-seed",
    "solana-key",
    "ethereum-key",
    "mnemonic-phrase",
    "app-password",
    "jwt",
    "generic",
)
"""Names of the functions in `scanner.confirm`; a test holds the two together."""

_REQUIRED = ("id", "name", "confidence", "severity", "why", "fix", "references", "examples", "negatives")
_NAMED = ("beside", "named", "value")
_OPTIONAL = ("pattern", *_NAMED, "anchors", "names", "rare", "looks", "forms", "confirm", "guessable", "entropy", "paths")
_MAKERS = ("assigned.py", "boundary.py", "named.py", "written.py")
"""The modules that make anchors and patterns of what a rule file says."""
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+\Z")


def builtin_folder() -> str:
    """Return the folder of the built-in rules: in the wheel `scanner/data/rules`, in a checkout `rules`."""
    here = os.path.dirname(os.path.abspath(__file__))
    packaged = os.path.join(here, "data", "rules")
    return packaged if os.path.isdir(packaged) else os.path.join(os.path.dirname(here), "rules")


def load_builtin() -> RuleSet:
    """Return the built-in rules, from the cache when their files have not changed.

    The cache is believed when it names the version, and each file with its size and time
    of change: reading and hashing them all would cost more than the scan of a commit.
    """
    folder = builtin_folder()
    here = os.path.dirname(os.path.abspath(__file__))
    state = [__version__, folder, *(cache.stamp(os.path.join(here, file)) for file in _MAKERS)]
    with os.scandir(folder) as listing:
        for entry in sorted(listing, key=lambda entry: entry.name):
            status = entry.stat()
            state.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
    return _builtin(folder, tuple(state))


@functools.lru_cache(maxsize=1)
def _builtin(folder: str, told: tuple[str, ...]) -> RuleSet:
    state = list(told)
    name = f"rules-{zlib.crc32(folder.encode()):08x}-{sys.implementation.cache_tag}"
    stored = cache.read(name)
    if stored is not None:
        try:
            return _thawed(stored, state)
        except (ValueError, TypeError, EOFError):
            pass  # of other files, or damaged: it is rebuilt below
    rules = load([folder])
    cache.write(name, _frozen(rules, state))
    return rules


def load(paths: Iterable[str]) -> RuleSet:
    """Read rule files, or folders of them, and return their rules sorted by id.

    Raises `RuleError` naming the file, the line, the rule and the field.
    """
    rules: list[Rule] = []
    for path in paths:
        for file in _files(path):
            rules.extend(_read(file))
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in seen:
            raise RuleError(f"{rule.file}: the rule '{rule.id}' is also in {seen[rule.id].file}; rename one")
        seen[rule.id] = rule
    return ruleset_of(rules)


def ruleset_of(rules: Iterable[Rule], policy: Policy = NO_POLICY) -> RuleSet:
    """Return the rules in the order of their ids, with the digest of what they and the policy say, and of this version."""
    import hashlib  # 3 ms that a run on the cached built-in rules need not spend

    ordered = tuple(sorted(rules, key=lambda rule: rule.id))
    digest = hashlib.sha256(__version__.encode())
    for rule in ordered:
        digest.update(json.dumps(rule._replace(file="")).encode())
    if policy != NO_POLICY:
        digest.update(json.dumps(policy).encode())
    return RuleSet(ordered, digest.hexdigest(), policy)


def select(rules: RuleSet, only: Sequence[str] = (), without: Sequence[str] = ()) -> RuleSet:
    """Return the named rules less the excluded ones; an unknown id is a `UsageError` with a suggestion."""
    if not only and not without:
        return rules
    known = {rule.id for rule in rules.rules}
    for name in (*only, *without):
        if name not in known:
            from scanner.yamlfile import suggestion

            raise UsageError(f"no rule is called '{name}'{suggestion(name, known)}; 'keyleash rules list' names them")
    chosen = [rule for rule in rules.rules if (not only or rule.id in only) and rule.id not in without]
    if not chosen:
        raise UsageError("no rule is left: --exclude-rule takes away all that --rule names")
    return ruleset_of(chosen, rules.policy)


def pattern_width(pattern: str) -> int:
    """Return the longest span, in bytes, that decides a match: the pattern's own width and its lookaround.

    Raises `re.error` for a pattern outside the syntax that `re` and `regex` share. An
    unbounded pattern has a width above `MAX_WIDTH`.

    >>> pattern_width(r"AKIA[A-Z2-7]{16}(?![A-Z])")
    21
    """
    tree = sre_parser.parse(pattern.encode("latin-1", "strict"))
    return int(tree.getwidth()[1]) + _lookaround(tree)


def _lookaround(tree: Any) -> int:
    total = 0
    for operator, argument in tree:
        if operator in (sre.ASSERT, sre.ASSERT_NOT):
            total += int(argument[1].getwidth()[1]) + _lookaround(argument[1])
        elif operator is sre.AT:
            total += 1
        elif operator is sre.BRANCH:
            total += max(_lookaround(branch) for branch in argument[1])
        elif operator is sre.SUBPATTERN:
            total += _lookaround(argument[-1])
        elif operator in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            inner = _lookaround(argument[2])
            total += inner * min(int(argument[1]), MAX_WIDTH + 1) if inner else 0
        elif operator is sre.ATOMIC_GROUP:
            total += _lookaround(argument)
    return total


def _files(path: str) -> list[str]:
    if os.path.isdir(path):
        return sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".yaml"))
    return [path]


def _frozen(rules: RuleSet, state: list[str]) -> bytes:
    """Return a rule set for the cache, four times as fast to read again as JSON; a checksum stands before it."""
    body = marshal.dumps((state, rules.digest, [tuple(rule) for rule in rules.rules]))
    return zlib.crc32(body).to_bytes(4, "big") + body


def _thawed(stored: bytes, state: list[str]) -> RuleSet:
    """Return the rule set, or raise `ValueError` for one of other files, or for damaged bytes: `marshal` may crash on these."""
    body = memoryview(stored)[4:]
    if zlib.crc32(body) != int.from_bytes(stored[:4], "big"):
        raise ValueError("damaged")
    known, digest, rows = marshal.loads(body)  # noqa: S302 - from a folder that no one else can write
    if known != state:
        raise ValueError("other rule files")
    return RuleSet(tuple(map(Rule._make, rows)), digest)


def rule_of(row: dict[str, Any]) -> Rule:
    """Return the rule whose fields were kept as JSON."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Rule(**values)


def _read(file: str) -> list[Rule]:
    from scanner import yamlfile  # PyYAML costs 20 ms, and the cache makes it unnecessary on most runs

    data = yamlfile.parse(yamlfile.read(file, "the rules", RuleError), file, RuleError)
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise RuleError(f"{file}: a rule file is a list of rules, each beginning with '- id:'")
    return rules_of(data, file)


def rules_of(entries: Iterable[dict[str, Any]], file: str) -> list[Rule]:
    """Return the rules that stand in a file as mappings. Raises `RuleError` naming file, line, rule and field."""
    return [_rule(entry, file) for entry in entries]


class _Entry:
    """One rule as it stands in a file, with words for what is wrong in it."""

    def __init__(self, fields: dict[str, Any], file: str) -> None:
        from scanner import yamlfile

        line = fields.pop(yamlfile.LINE)
        named = fields.get("id")
        self.where = f"{file}:{line}: rule '{named[:60] if isinstance(named, str) else '?'}'"
        self.fields = fields
        for key in fields:
            if key not in _REQUIRED and key not in _OPTIONAL:
                raise self.wrong(yamlfile.shown(key), f"is not known{yamlfile.suggestion(key, _REQUIRED + _OPTIONAL)}")
        for key in _REQUIRED:
            if not fields.get(key):
                raise self.wrong(key, "is missing")

    def wrong(self, field: str, reason: str) -> RuleError:
        return RuleError(f"{self.where}: field '{field}': {reason}")

    def text(self, key: str, default: str = "") -> str:
        value = self.fields.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "must be text")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.fields.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(key, "must be a list of texts")
        if not all(value):
            raise self.wrong(key, "has an empty text")
        return tuple(value)

    def one_of(self, key: str, choices: Sequence[str], default: str = "") -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.wrong(key, f"'{value}' is not one of {', '.join(choices)}")
        return value

    def pattern(self) -> str:
        """Return the rule's pattern, or the one that its `beside`, `named` and `value` make."""
        parts = [self.text(key) for key in _NAMED]
        if not any(parts):
            return self.text("pattern")
        if self.text("pattern"):
            raise self.wrong("pattern", "stands beside 'beside', 'named' and 'value', which make one; leave it out")
        for key, part in zip(_NAMED, parts, strict=True):
            if not part:
                raise self.wrong(key, "is missing: 'beside', 'named' and 'value' go together")
        from scanner.named import pattern_of

        return pattern_of(*parts)

    def anchors(self) -> tuple[str, ...]:
        """Return what the engine looks for: the rule's anchors, or its pattern, or what is cheap of a named one."""
        if self.text("beside") and not self.texts("anchors"):
            from scanner.named import anchor_of

            return (anchor_of(*(self.text(key) for key in _NAMED)),)
        from scanner.boundary import anywhere

        return tuple(map(anywhere, self.texts("anchors") or (self.text("pattern"),)))

    def check(self) -> None:
        """Raise for a value that no type check sees."""
        if not _ID.match(self.text("id")):
            raise self.wrong("id", "must be two or more lower-case words joined by hyphens")
        for key in ("names", "rare", "forms"):
            if self.texts(key) and self.text("confirm") != "generic":
                raise self.wrong(key, "goes with 'confirm: generic'")
        for reason in filter(None, map(written.wrong, self.texts("forms"))):
            raise self.wrong("forms", reason)
        if self.texts("names") and self.texts("anchors"):
            raise self.wrong("anchors", "are made of 'names' where there are names; leave one of them out")
        if self.texts("rare") and not self.texts("names"):
            raise self.wrong("rare", "are names beside others: give 'names', too")
        pattern = self.pattern()
        if not pattern and not any(self.texts(key) for key in ("anchors", "names", "forms")):
            raise self.wrong("pattern", "is missing")
        if not pattern and self.text("confirm", "pattern") == "pattern":
            raise self.wrong("pattern", "is missing: anchors alone need a 'confirm' that reads their neighbourhood")
        if not isinstance(self.fields.get("guessable", False), bool):
            raise self.wrong("guessable", "must be true or false")
        if not isinstance(self.fields.get("entropy", 0), int | float):
            raise self.wrong("entropy", "must be a number of bits a character")
        for reference in self.texts("references"):
            if not reference.startswith("https://"):
                raise self.wrong("references", f"'{reference}' is not an https address")


def _rule(fields: dict[str, Any], file: str) -> Rule:
    entry = _Entry(fields, file)
    entry.check()
    pattern, anchors, names, rare = entry.pattern(), entry.anchors(), entry.texts("names"), entry.texts("rare")
    forms = entry.texts("forms")
    where = next(name for name in ("anchors", "names", "forms", "value", "pattern") if name == "pattern" or fields.get(name))
    looks = entry.one_of("looks", assigned.LOOKS, "any")
    named = (anchor for name in names for anchor in assigned.anchors(name, looks))
    anchors = (*named, *map(assigned.rare_anchor, rare), *map(written.anchor, forms), *filter(None, anchors))
    return Rule(
        id=entry.text("id"),
        name=entry.text("name"),
        pattern=pattern,
        anchors=anchors,
        width=max(_width(anchor, where, entry.wrong) for anchor in anchors),
        reach=_width(pattern, where, entry.wrong) if pattern else 0,
        confirm=entry.one_of("confirm", CONFIRMATIONS, "pattern"),
        confidence=entry.one_of("confidence", LEVELS[:3]),
        severity=entry.one_of("severity", LEVELS),
        guessable=fields.get("guessable", False),
        entropy=float(fields.get("entropy", 0)),
        why=entry.text("why"),
        fix=entry.text("fix"),
        references=entry.texts("references"),
        examples=entry.texts("examples"),
        negatives=entry.texts("negatives"),
        file=os.path.basename(file),
        names="|".join((*names, *rare)),
        looks=looks if names else "",
        forms=tuple(map(written.pattern, forms)),
        paths=_paths(entry),
    )


def _paths(entry: _Entry) -> tuple[str, ...]:
    patterns = entry.texts("paths")
    if patterns:
        from pathspec import GitIgnoreSpec

        try:
            GitIgnoreSpec.from_lines(patterns)
        except ValueError as problem:
            raise entry.wrong("paths", f"is no list of gitignore patterns: {problem}") from None
    return patterns


def _compile(pattern: str, field: str, fail: Any) -> None:
    import regex

    try:
        regex.compile(pattern.encode("latin-1"))
    except (regex.error, UnicodeEncodeError, RecursionError, OverflowError) as problem:
        raise fail(field, f"is not a pattern on bytes: {problem}") from None


def _width(anchor: str, field: str, fail: Any) -> int:
    _compile(anchor, field, fail)
    try:
        width = pattern_width(anchor)
    except (re.error, UnicodeEncodeError, RecursionError, OverflowError) as problem:
        raise fail(field, f"uses syntax that the engines do not share: {problem}") from None
    if width > MAX_WIDTH:
        raise fail(field, f"can match more than {MAX_WIDTH} bytes; bound its repetitions, as in {{1,64}} for +")
    return width
