"""The words of the program as frozen types.

Everything that travels between two stages is one of these values, and no stage changes
one: it makes a new one. This module imports nothing of ours, so any module may import
it. Named tuples rather than dataclasses: these take 25 ms to import and build, which a
hook would spend on every commit. Types that hold scanned bytes leave them out of `repr`,
so that a log line or a debugger does not show a credential.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, Protocol


def _short(value: tuple[object, ...], *shown: str) -> str:
    """Return a `repr` with the named fields alone."""
    return f"{type(value).__name__}({', '.join(f'{name}={getattr(value, name)!r}' for name in shown)})"


LEVELS = ("low", "medium", "high", "critical")
"""Severities in rising order; the first three are also the levels of confidence."""


class Rule(NamedTuple):
    """One kind of credential, as a file in `rules/` describes it.

    `pattern` is a `regex` pattern on bytes whose group `secret` (or the whole match) is
    the credential. `anchors` are what the engine looks for, by default the pattern less a lookbehind at its beginning;
    `width` is the longest possible anchor in bytes, lookaround included, and `reach` the same of the pattern. `confirm` names
    the function in `scanner.confirm` that turns anchors into matches. `guessable` says
    that a person chose the secret, so it is fingerprinted slowly and never shown in part. `names` is
    a pattern of the names that a generic credential is given to, and `looks` says what it looks like; its anchors are
    then those of `scanner.assigned`.
    `forms` are patterns that read a value with its name in places of the rule's own (`scanner.written`).
    `paths` are gitignore patterns of which the file's path must meet one, if there are any.
    """

    id: str
    name: str
    pattern: str
    anchors: tuple[str, ...]
    width: int
    reach: int
    confirm: str
    confidence: str
    severity: str
    guessable: bool
    entropy: float
    why: str
    fix: str
    references: tuple[str, ...]
    examples: tuple[str, ...]
    negatives: tuple[str, ...]
    file: str
    names: str = ""
    looks: str = ""
    paths: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    @property
    def generic(self) -> bool:
        """Whether the rule is of no provider and judges a value by its name or form: what a provider's believes goes before."""
        return self.confirm in ("generic", "jwt")


class Limits(NamedTuple):
    """How deep decoding one blob goes, in encodings and in archives, and how many members and bytes of archives are read."""

    encodings: int = 5
    archives: int = 4
    members: int = 20_000
    archive_bytes: int = 1024 * 1024 * 1024


DEFAULT_LIMITS = Limits()


class Policy(NamedTuple):
    """What a team has said of what counts: it travels with the rules, because every process that looks needs both.

    `comments` names the scanners whose comments allow a line here too; `secrets` and `lines`
    are patterns, on bytes, of secrets and of their lines that are no findings, `stopwords`
    texts that a secret may not hold, whatever their case.
    """

    comments: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    limits: Limits = DEFAULT_LIMITS


NO_POLICY = Policy()


REFUSED = "refused"
"""The confidence of what has a credential's form and fails its check: no finding, and nothing for a generic rule either."""


class RuleSet(NamedTuple):
    """Rules in a fixed order, what a team says beside them, and a digest that changes whenever a result could."""

    rules: tuple[Rule, ...]
    digest: str
    policy: Policy = NO_POLICY


class Origin(NamedTuple):
    """Where a blob was met.

    `path` uses `/` and carries bytes that are not UTF-8 as surrogate escapes; it is None
    for a commit or tag message. `via` names the kind of source in words for people. Of content in history, `present`
    names the branches that have it at this path today, `removed` the commit that took it from
    there on the way to HEAD, and `paths` all places where HEAD has it.
    """

    via: str
    path: str | None = None
    repository: str | None = None
    commit: str | None = None
    author: str | None = None
    date: str | None = None
    present: tuple[str, ...] = ()
    removed: str | None = None
    paths: tuple[str, ...] = ()


class Blob(NamedTuple):
    """Content, once. A large blob comes in pieces: `line` and `column` say where a piece starts.

    `id` is the git object id where one is known without extra work. For a blob of the
    object store `origin` has no path until `Source.attribute` has named its place.
    `before` reads the versions that this blob replaces; it is called only when something
    was found, and what they already contain is not reported.
    """

    data: bytes
    origin: Origin
    id: str | None = None
    line: int = 1
    column: int = 1
    before: Callable[[], Iterator[bytes]] | None = None

    def __repr__(self) -> str:
        return _short(self, "origin", "id", "line", "column")


class Skipped(NamedTuple):
    """An input that was not, or not wholly, scanned. A report with one of these is not clean.

    `blob` is the id of an object whose path is not known yet; `what` then says `object ID`.
    """

    what: str
    reason: str
    blob: str | None = None


class Coverage(NamedTuple):
    """What was looked at: counts that add up. `notes` are facts a reader should know.

    `packed` counts bytes of packs that were read, of the `expected` that there are. `known` counts the
    objects that an earlier scan had looked at under the same rules, and that were not read again.
    """

    blobs: int = 0
    bytes: int = 0
    files: int = 0
    commits: int = 0
    refs: int = 0
    notes: tuple[str, ...] = ()
    packed: int = 0
    expected: int = 0
    known: int = 0

    def plus(self, other: Coverage) -> Coverage:
        """Return the sum of two counts; a note that both have stands once."""
        return Coverage(
            self.blobs + other.blobs,
            self.bytes + other.bytes,
            self.files + other.files,
            self.commits + other.commits,
            self.refs + other.refs,
            self.notes + tuple(note for note in other.notes if note not in self.notes),
            self.packed + other.packed,
            self.expected + other.expected,
            self.known + other.known,
        )


Item = Blob | Skipped | Coverage


class Source(Protocol):
    """Something that yields blobs.

    One that compares with something older may have a method `older() -> Iterator[Blob]`: what
    stood there before. It is called when something was found; a credential in it is no news.
    """

    def items(self) -> Iterator[Item]:
        """Yield blobs, and what was skipped, and counts of what was covered."""

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        """Name the place of blobs that were met by id alone; called once, with the ids of findings."""


class Chunk(NamedTuple):
    """Bytes for the engine, and how to get from them back to the text that a person sees.

    `text` is the blob as UTF-8: the blob's own bytes, unless these were UTF-16. For what
    was decoded from a part of it, `data` is the decoded bytes, `way` says how they were
    reached, outermost first, as in ('base64', 'zip', 'a.env'), and `offset_of` maps an
    offset in `data` to one in `text`. Lines and columns are counted in `text`. What was
    decoded in place stands among its surroundings: `decoded` bounds the lines of `data`
    that are new, and what touches none of them is the business of the chunk around.
    All that an archive's member holds stands, to a person, where the archive does: `inner` maps
    an offset to one in the member, or in `text` outside of archives, and `depth` counts the steps
    of `way` that lead to it.
    """

    data: bytes
    text: bytes
    way: tuple[str, ...] = ()
    offset_of: Callable[[int], int] | None = None
    decoded: tuple[int, int] | None = None
    inner: Callable[[int], int] | None = None
    depth: int = 0

    def __repr__(self) -> str:
        return _short(self, "way")


class Match(NamedTuple):
    """A confirmed span of a chunk.

    `secret` is the credential in canonical form (a private key: its bytes without
    wrapping), so that one credential in two spellings has one fingerprint. `redacted`
    replaces the default redaction where a description says more, as for keys.
    """

    rule: Rule
    start: int
    end: int
    secret: bytes
    evidence: tuple[str, ...]
    confidence: str
    severity: str
    redacted: str | None = None

    def __repr__(self) -> str:
        return _short(self, "start", "end", "evidence", "confidence", "severity", "redacted")


class Location(NamedTuple):
    """One place of a finding. Lines and columns count from 1, columns in Unicode characters.

    `end_line` and `end_column` name the first character after the secret.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    origin: Origin
    blob: str | None = None
    way: tuple[str, ...] = ()


class Finding(NamedTuple):
    """All matches of one rule and one secret. Holds no secret, unless `secret` was asked for."""

    rule: Rule
    severity: str
    confidence: str
    fingerprint: str
    redacted: str
    evidence: tuple[str, ...]
    locations: tuple[Location, ...]
    secret: str | None = None

    def __repr__(self) -> str:
        return _short(self, "severity", "confidence", "fingerprint", "redacted", "evidence", "locations")


class Accepted(NamedTuple):
    """A finding that the baseline accepts, and what its entry says."""

    finding: Finding
    reason: str
    owner: str = ""
    expires: str = ""


class Report(NamedTuple):
    """The result of a scan. It is clean only when nothing was found and nothing was skipped.

    `fail_on` is the least severity that stops what the scan was made for. What is `accepted` is not among the findings.
    """

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    coverage: Coverage
    rules: RuleSet
    engine: str = ""
    fail_on: str = LEVELS[0]
    accepted: tuple[Accepted, ...] = ()

    @property
    def clean(self) -> bool:
        return not self.findings and not self.skipped

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that are severe enough to count for the exit code."""
        least = LEVELS.index(self.fail_on)
        return tuple(finding for finding in self.findings if LEVELS.index(finding.severity) >= least)
