"""Where a value is given to a name: the forms in which people write passwords down.

Each form is a bounded pattern that begins where an anchor of its rule begins, so that what
it finds depends on the text from there on and never on where a search began. A form says nothing of
whether the value is a credential: that is the business of `generic_model`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner import assigned
from scanner.model import Rule

BEFORE, AFTER = 120, 48
"""Bytes before and after a value that are read, if they are of its line."""

_QUOTED = rb"(?P<quoted>(?:(?!(?P=quote))[^\r\n]){1,400})(?P=quote)"
_VALUE = (
    rb"(?:(?P<prefix>[bBuUrRfFNL@$&]{0,2})(?P<quote>\\{0,3}(?:\"{3}|'{3}|[\"'`]))" + _QUOTED + rb"?+"
    rb"|(?P<array>(?:(?:0x[0-9a-f]{1,2}|[0-9]{1,3})\s{0,8},\s{0,8}){7,64})"
    rb"|(?P<bare>[^\s\"'`<>,;(){}\[\]|\\][^\s\x1b\"'`<>,;(){}|&\\]{0,300}))"
)
_ARGUMENT = (
    rb"(?:(?P<quote>\\?[\"'])" + _QUOTED + rb"?+"
    rb"|(?P<bare>[^\s\"'`<>();|&\\-][^\s\"'`<>();|&\\]{0,200}))"
)  # fmt: skip
_WRAP = rb"(?P<wrap>(?:(?:new )?[A-Za-z_][\w.:]{0,40}\(\s{0,8}|[\w.*\[\]]{0,40}[({]\s{0,12}|\[\s{0,8}){0,2})"
_SEPARATOR = (
    rb"(?P<close>(?:\\{0,3}[\"'`]|[\])}>]|\*\*|[ ]?\([^()\n\"']{0,24}\)){0,4}+)"
    rb"(?P<sep>\s{0,4}:\s{0,4}[*A-Za-z][\w.<>\[\]?]{0,30}\s{0,4}=\s{0,24}"
    rb"|[ \t]{0,40}(?:=>|:=|===?|!==?|[|?+]{0,2}=|::?|->|\xef\xbc\x9a|<<?<?|,|\()(?:[ \t*]{0,40}|\\?\r?\n[ \t]{0,40}))"
)
_NAMED = {
    "assign": _SEPARATOR + _WRAP + _VALUE,
    "pair": rb"\\?[\"']?[\s,{]{1,40}\\?[\"']?(?:value|default)\\?[\"']?(?P<sep>\s{0,4}(?:=>|[=:])\s{0,4})" + _VALUE,
    "element": rb"[\"']?(?:\s[^<>\n]{0,40})?>\s{0,20}(?:<!\[CDATA\[|<(?:value|string)>)?"
    rb"(?P<bare>[^<>\r\n]{1,400}?)(?:\]\]>)?\s{0,20}</",
    "entry": rb"</(?:name|key)>\s{0,40}<(?:value|string)>(?P<bare>[^<>\r\n]{1,400}?)\s{0,20}</",
}
"""Behind a name: `name = "value"`, `name, value: x`, `<name>value</name>`, `name</key><string>value`."""

_AUTHORIZATION = (
    rb"(?i)authorization(?P<close>[\\\"'`\]>*]{0,6})(?P<sep>\s{0,4}(?:=>|=|:|,|\()\s{0,8}(?:\\?[\"'`\[]){0,3}\s?)"
    rb"(?P<name>%s)[ :]{1,2}(?:token=)?(?P<bare>[^\s\"'`<>\\,;)]{1,1000})"
)
_TOOLS = (
    rb"mysql(?:dump|admin|import)?|mariadb(?:-dump|-admin)?|sshpass|docker|podman|mongo(?:dump|restore|sh)?"
    rb"|ldap(?:search|add|modify|delete|passwd)|redis-cli|sqlcmd|bcp|rabbitmqctl|smbclient|unzip|7z|htpasswd|sqlplus|cqlsh|nmcli"
    rb"|helm|az|oc|cf"
)
_OPTION = rb"(?:pass(?:w(?:or[dt]|d)?|phrase)?|pwd|secret|token|api-?key)"
_GRANT = rb"identified(?:[ ]with[ ][\w'\"`]{1,40})?[ ]by(?:[ ]password)?|(?:role|user|login|with)\b[^\n;=]{0,60}[ ]password"
_CALLED = rb"auth\w{0,12}|log_?in|sign_?in|connect(?:ion)?|credentials?|passw(?:or)?d\w{0,20}|user\w{0,16}"

FORMS: dict[str, dict[str, bytes]] = {
    "url-credentials": {
        "url": rb"(?i)://(?P<name>[^\s\"'`<>/:@?#,;()\[\]]{0,60}):(?P<bare>[^\s\"'`<>@/]{1,200}?)@(?=[\w\[$\{(*%-])",
        "token": rb"(?:(?<=http)|(?<=https))(?P<name>://)(?P<bare>(?=[A-Za-z_=-]{0,40}[0-9])(?=[0-9_=-]{0,40}[A-Za-z])[A-Za-z0-9_=-]{20,80})"
        rb"(?::(?:x-oauth-basic|x|api_token)?)?@(?=[\w\[$\{(*%-])"
        # Not the half of a Sentry address that its own rule calls public.
        rb"(?![\w.-]{0,60}sentry|[\w.:-]{1,80}/[0-9]{1,20}\b)",
    },
    "connection-string-password": {
        "dsn": rb"(?i)(?P<name>[a-z0-9]):(?P<bare>[^\s\"'`<>@:]{1,100}?)@(?=(?:tcp|unix)\()",
        "connection": rb"(?i)(?<=[;\"' \t,])(?P<name>password|pwd)(?P<sep>[ ]?=[ ]?)"
        rb"(?P<bare>[^\s\"'`;<>]{1,128})(?=[;\"'\\])",
    },
    "http-basic": {
        "header": _AUTHORIZATION.replace(b"%s", b"basic"),
        "scheme": rb"(?i)\b(?P<name>basic)[ ](?P<bare>[a-z0-9+/_-]{8,1000}={0,2})",
    },
    "http-bearer": {
        "header": _AUTHORIZATION.replace(b"%s", b"bearer|token|ntlm|negotiate|apikey|key|oauth"),
        "scheme": rb"(?i)\b(?P<name>bearer)[ ](?P<bare>[a-z0-9+/._~-]{8,1000}={0,2})",
    },
    "command-line-password": {
        "flag": rb"(?i)(?P<name>-[\w.-]{0,20}?" + _OPTION + rb"[\w.-]{0,12})"
        rb"(?P<sep>[ =]{1,4}|[\"']?,\s{0,8}(?=[\"']))" + _ARGUMENT,
        "from": rb"(?i)(?P<name>-pass(?:in|out|word)?[ ][\"']?pass)(?P<sep>:)(?P<bare>[^\s\"'`<>();|&]{1,128})",
        "short": rb"(?i)(?P<name>(?:" + _TOOLS + rb")\b[^\n|;&\"']{0,100}?\s-(?:p ?|w ?|a ))" + _ARGUMENT,
        "user": rb"(?i)(?P<name>curl\b[^\n]{0,120}?\s(?:-u|--user|--proxy-user)[ =]?[\"']?[\w.@+-]{1,60}:)"
        rb"(?P<bare>[^\s\"'`<>();|&\\]{1,200})",
    },
    "sql-password": {
        "sql": rb"(?i)(?P<name>" + _GRANT + rb")\s{1,4}(?:=\s{0,4})?(?P<quote>\\?[\"'`])" + _QUOTED,
    },
    "password-argument": {
        "call": rb"(?i)(?P<name>" + _CALLED + rb")(?P<sep>[ ]?[\(=]{1,2}\s{0,4}\(?)(?:[^()\n;]{0,60},\s{0,4})?"
        rb"[\"'][^\"'\n]{1,60}[\"'],\s{0,8}(?P<quote>[\"'])" + _QUOTED,
    },
}  # fmt: skip
"""The forms of rules that have no names of their own; those that have share `_NAMED`."""

WRITTEN = ("default", "constant", "called", "typed", "directive", "noted", "generic")
"""Kinds of forms that stand in rule files (`scanner.written`), by the beginning of their rules' ids."""

KINDS = (*_NAMED, *(form for forms in FORMS.values() for form in forms), *WRITTEN)
_HEADS = {
    "url-credentials": rb"://",
    "connection-string-password": rb"(?i)[a-z0-9]:|password|pwd",
    "http-basic": rb"(?i)authorization|basic ",
    "http-bearer": rb"(?i)authorization|bearer ",
    "command-line-password": rb"(?i)-|curl|" + _TOOLS,
    "sql-password": rb"(?i)identified|role|user|login|with",
    "password-argument": rb"(?i)auth|log_?in|sign_?in|connect|credential|passw|user",
}
"""How the forms of a rule may begin."""
_HEAD = 48
_OTHER_WORDS = (b"psk", b"community")
"""What configurations call a password; the model knows them by their usual words."""
_LEFT = re.compile(rb"[\w.$/@-]{0,48}\Z")


class Candidate(NamedTuple):
    """A value with what stands around it on its line, and its place in the searched bytes."""

    form: str
    name: bytes
    sep: bytes
    wrap: bytes
    quote: bytes
    value: bytes
    before: bytes
    after: bytes
    start: int
    end: int

    def __repr__(self) -> str:
        return f"Candidate(form={self.form!r}, start={self.start}, end={self.end})"


class _Reading(NamedTuple):
    """How a rule's candidates are read: where one may begin, whether an anchor does, and the forms."""

    heads: re.Pattern[bytes]
    anchors: re.Pattern[bytes]
    forms: tuple[tuple[str, re.Pattern[bytes]], ...]


@functools.cache
def _reading(rule: Rule) -> _Reading:
    """Compile with `re`, in a third of the time that `regex` takes; all is bounded, and tried only where an anchor begins."""
    if rule.names:
        names = b"(?i:" + rule.names.encode("latin-1") + b")"
        tails = "|".join(assigned.tails(rule.looks)).encode("latin-1")
        anchors = re.compile(names + b"(?im:" + tails + b")")  # all anchors of the rule, of which each has one name
        forms = ((form, re.compile(b"(?P<name>" + names + b")(?i:" + rest + b")")) for form, rest in _NAMED.items())
        return _Reading(re.compile(names), anchors, tuple(forms))
    anchors = re.compile(b"|".join(_scoped(anchor.encode("latin-1")) for anchor in rule.anchors))
    if rule.forms:
        kind = rule.id.partition("-")[0]
        return _Reading(anchors, anchors, tuple((kind, re.compile(form.encode("latin-1"))) for form in rule.forms))
    built_in = ((form, re.compile(text)) for form, text in FORMS[rule.id].items())
    return _Reading(re.compile(_HEADS[rule.id]), anchors, tuple(built_in))


def _scoped(pattern: bytes) -> bytes:
    r"""Return a pattern that can stand among alternatives: flags at its start are made to hold for it alone.

    >>> _scoped(b"(?im)^a$"), _scoped(b"a")
    (b'(?im:^a$)', b'(?:a)')
    """
    flags = re.match(rb"\(\?([im]+)\)", pattern)
    return b"(?%s:%s)" % (flags[1], pattern[flags.end() :]) if flags else b"(?:%s)" % pattern


def candidates(rule: Rule, data: bytes, low: int, high: int) -> Iterator[Candidate]:
    """Yield what the rule's forms find that begins at an anchor, from `low` to `high`.

    Whether an anchor begins there is asked again here, so that the answer is that of the
    text and not that of an engine, which names ends only.
    """
    reading = _reading(rule)
    seen = set()
    head = reading.heads.search(data, low, high + _HEAD)
    while head and head.start() < high:
        first = head.start()
        if reading.anchors.match(data, first):
            for form, pattern in reading.forms:
                match = pattern.match(data, first)
                found = match and _candidate(rule, data, form, match)
                if found and (found.start, found.end) not in seen:
                    seen.add((found.start, found.end))
                    yield found
        head = reading.heads.search(data, first + 1, high + _HEAD)


def _candidate(rule: Rule, data: bytes, form: str, match: re.Match[bytes]) -> Candidate:
    found = match.groupdict()
    group = "quoted" if found.get("quoted") is not None else "array" if found.get("array") is not None else "bare"
    start, end = match.span(group)
    name = found["name"]
    if rule.names or rule.forms:
        left = _LEFT.search(data[max(0, match.start() - _HEAD) : match.start()])
        name = (left.group() if left else b"") + name
    if name.endswith(_OTHER_WORDS) and form == "directive":
        name += b" password"
    sep, wrap, quote = (found.get(part) or b"" for part in ("sep", "wrap", "quote"))
    return Candidate(form, name, sep, wrap, quote, data[start:end], *_around(data, start, end), start, end)


def _around(data: bytes, start: int, end: int) -> tuple[bytes, bytes]:
    """Return what stands before and after a value on its line, as far as it is read."""
    before = data[max(0, start - BEFORE) : start]
    after = data[end : end + AFTER]
    return before[before.rfind(b"\n") + 1 :], after.partition(b"\n")[0]


def starts(ends: Sequence[int], width: int) -> Iterator[tuple[int, int]]:
    """Join the places where the anchors that end at `ends` may begin into disjoint spans."""
    low = high = -1
    for end in ends:
        if low >= 0 and end - width <= high:
            high = end
            continue
        if low >= 0:
            yield low, high
        low, high = max(0, end - width), end
    if low >= 0:
        yield low, high
