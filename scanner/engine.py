"""All patterns at once: where may which rule match?

An engine answers with anchors, pairs of (index of the rule, end offset). It may
over-report and must never under-report: `scanner.confirm` reads the text at each anchor
and decides. In the same pass it looks for the triggers of `scanner.decode`, which it
reports alike, with an index above `FIRST` that says the trigger's kind. Hyperscan is the
engine; the plain one, one `regex` search a rule, is the oracle it is tested against, and
serves where there is no hyperscan wheel.

Hyperscan is not asked for start offsets: on a large set it refuses ("pattern is too
large"), and the confirmation finds the start anyway.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from scanner import cache
from scanner.decode import FIRST, KINDS
from scanner.decode import __file__ as decode_init
from scanner.errors import RuleError, UsageError
from scanner.model import RuleSet

if TYPE_CHECKING:
    import hyperscan

Anchors = list[tuple[int, int]]
_MANY_OWN = 64
"""With more rules of their own than this, a team's rules are compiled all together: two databases cost two passes."""

_LOOKAROUND = re.compile(rb"\(\?<?[=!]")
_PREFILTER = (0, 1 << 7)
"""Flags without and with HS_FLAG_PREFILTER: with it hyperscan takes what it cannot do, as lookaround, and over-reports."""


class Engine(Protocol):
    name: str

    def anchors(self, data: bytes) -> Anchors:
        """Return (rule or trigger index, end offset) pairs, in rising order of the offset."""


class HyperscanEngine:
    """Hyperscan in block mode, with the compiled database kept in the cache folder.

    To compile all rules takes seconds, so a team's choice of rules uses the database of the built-in ones where it has most
    of them, and one of its own rules beside it. To be measured, an engine is not to `keep` its database, and may do
    without the `triggers` of what is encoded.
    """

    def __init__(self, rules: RuleSet, *, keep: bool = True, triggers: bool = True) -> None:
        import hyperscan

        self._version = getattr(hyperscan, "__version__", "?")
        self.name = f"hyperscan {self._version}"
        self._table: list[int] | None = None
        self._beside: hyperscan.Database | None = None
        shared = _shared(rules) if keep else None
        if shared:
            self._table = shared.table
            self._database = self._opened(shared.builtin, keep, triggers)
            if shared.own.rules:
                self._beside = self._opened(shared.own, keep, triggers=False)
                self._numbers = shared.numbers
        else:
            self._database = self._opened(rules, keep, triggers)

    def _opened(self, rules: RuleSet, keep: bool, triggers: bool) -> hyperscan.Database:
        import hyperscan

        # The library names its version and the processor features in the database and refuses
        # one that does not fit, as it refuses a damaged one (it keeps a checksum).
        triggers_state = cache.stamp(os.path.join(os.path.dirname(decode_init), "triggers.py")) if triggers else "none"
        cached = f"{rules.digest[:32]}-{triggers_state}-{self._version}.hsdb"
        stored = cache.read(cached) if keep else None
        if stored is not None:
            try:
                database = hyperscan.loadb(stored, hyperscan.HS_MODE_BLOCK)
                database.scratch = hyperscan.Scratch(database)
                return database
            except hyperscan.HyperscanError:
                pass
        database = self._compile(rules, triggers)
        if keep:
            cache.write(cached, hyperscan.dumpb(database))
        return database

    @staticmethod
    def _compile(rules: RuleSet, with_triggers: bool) -> hyperscan.Database:
        import hyperscan

        from scanner.decode import triggers

        expressions: list[bytes] = []
        ids: list[int] = []
        for index, rule in enumerate(rules.rules):
            for anchor in rule.anchors:
                expressions.append(anchor.encode("latin-1"))
                ids.append(index)
        for trigger in triggers.TRIGGERS if with_triggers else ():
            expressions.append(trigger.pattern.encode("latin-1"))
            ids.append(FIRST + KINDS.index(trigger.kind))
        try:  # all at once: to try each by itself takes seven times as long
            return _database(expressions, ids, [_PREFILTER[bool(_LOOKAROUND.search(one))] for one in expressions])
        except hyperscan.HyperscanError:
            names = [rules.rules[index].id if index < FIRST else "trigger" for index in ids]
            return _database(expressions, ids, list(map(_flags, expressions, names)))

    def anchors(self, data: bytes) -> Anchors:
        found: Anchors = []
        self._database.scan(data, match_event_handler=_collect, context=found)
        if self._table is None:
            return found
        table = self._table
        found = [(met if met >= FIRST else table[met], end) for met, end in found if met >= FIRST or table[met] >= 0]
        if self._beside:
            own: Anchors = []
            self._beside.scan(data, match_event_handler=_collect, context=own)
            if own:
                found += [(self._numbers[met], end) for met, end in own]
                found.sort(key=itemgetter(1))
        return found


class _Shared(NamedTuple):
    """How rules are looked for with the database of the built-in ones.

    `table` has for each of these its number among the rules, or -1 where they have it not; `own` are the other rules, and
    `numbers` theirs.
    """

    builtin: RuleSet
    table: list[int]
    own: RuleSet
    numbers: list[int]


def _shared(rules: RuleSet) -> _Shared | None:
    """Return how to share the built-in rules' database, or None for these rules themselves and for very different ones."""
    from scanner.rules import load_builtin, ruleset_of

    builtin = load_builtin()
    if rules.digest == builtin.digest:
        return None
    places = {rule.id: number for number, rule in enumerate(rules.rules)}
    table = [places.get(rule.id, -1) for rule in builtin.rules]
    for number, (rule, place) in enumerate(zip(builtin.rules, table, strict=True)):
        if place >= 0 and rules.rules[place].anchors != rule.anchors:  # a team's own rule of the same name
            table[number] = -1
    numbers = sorted(set(range(len(rules.rules))) - set(table))
    if table.count(-1) * 4 > len(table) or len(numbers) > _MANY_OWN:
        return None
    own = ruleset_of(rules.rules[number] for number in numbers) if numbers else RuleSet((), "")
    return _Shared(builtin, table, own, numbers)


def _collect(rule: int, start: int, end: int, flags: int, found: Any) -> None:
    found.append((rule, end))


def _database(expressions: list[bytes], ids: list[int], flags: list[int]) -> hyperscan.Database:
    import hyperscan

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=expressions, ids=ids, flags=flags)
    return database


def _flags(expression: bytes, rule: str) -> int:
    """Return 0, or the prefilter flag for a pattern that hyperscan takes only so, as with a reference to a group."""
    import hyperscan

    for flags in _PREFILTER:
        try:
            _database([expression], [0], [flags])
            return flags
        except hyperscan.HyperscanError as problem:
            reason = problem
    raise RuleError(f"rule '{rule}': hyperscan refuses the pattern: {reason}")


class RegexEngine:
    """The oracle: each anchor searched for by itself with `regex`, at every start."""

    name = "regex"

    def __init__(self, rules: RuleSet) -> None:
        import regex

        from scanner.decode import triggers

        self._patterns = [
            (index, regex.compile(anchor.encode("latin-1")))
            for index, rule in enumerate(rules.rules)
            for anchor in rule.anchors
        ]
        for trigger in triggers.TRIGGERS:
            self._patterns.append((FIRST + KINDS.index(trigger.kind), regex.compile(trigger.pattern.encode("latin-1"))))

    def anchors(self, data: bytes) -> Anchors:
        found = {(index, end) for index, pattern in self._patterns for end in _ends(pattern, data)}
        return sorted(found, key=lambda anchor: anchor[1])


def _ends(pattern: Any, data: bytes) -> Iterator[int]:
    """Yield every offset where a match may end: at each start the longest one, and the shorter ones in it."""
    for match in pattern.finditer(data, overlapped=True):
        shorter = match
        while shorter:
            yield shorter.end()
            shorter = pattern.match(data, match.start(), shorter.end() - 1)


ENGINES: dict[str, type[HyperscanEngine] | type[RegexEngine]] = {
    "hyperscan": HyperscanEngine,
    "regex": RegexEngine,
}


def open_engine(rules: RuleSet, name: str | None = None) -> Engine:
    """Return the engine called `name`, else the one in `KEYLEASH_ENGINE`, else the fastest that is installed."""
    name = name or os.environ.get("KEYLEASH_ENGINE")
    if name:
        if name not in ENGINES:
            raise UsageError(f"KEYLEASH_ENGINE: no engine is called '{name}'; use {' or '.join(ENGINES)}")
        try:
            return ENGINES[name](rules)
        except ImportError:
            raise UsageError(f"KEYLEASH_ENGINE: {name} is not installed here; unset it, or pip install {name}") from None
    try:
        return HyperscanEngine(rules)
    except ImportError:
        return RegexEngine(rules)
