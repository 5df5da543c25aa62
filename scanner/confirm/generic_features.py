"""What there is to say of a value that was given to a name, as numbers for `generic_model`.

Every feature is named, and computed from the text around the value alone: no path, no
commit, no other file, so that a value is judged alike wherever it is met. The numbers for
what looks like words come from a table of letter triples and a list of words that
`tests/bench/train_generic.py` counted in public source code.
"""

from __future__ import annotations

import functools
import json
import os
import re
from itertools import pairwise
from typing import Any

from scanner.confirm.generic_forms import KINDS, Candidate
from scanner.confirm.text import entropy

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
NAME_WORDS = {
    "login": r"pass|pwd|psw|pw$|mdp|senha|kennwort|\xe5\xaf\x86|\xd0\xbf\xd0\xb0|contrase",
    "secret": r"secret",
    "token": r"token",
    "key": r"key",
    "auth": r"auth(?!or(?!i))",
    "public": r"pub",
    "crypt": r"crypt|aes|des_|cipher|sign|hmac|jwt",
    "store": r"store|db|database|sql|redis|mongo|postgres",
    "test": r"test|mock|fake|dummy|example|wrong|invalid|bad|expired|expected",
    "hash": r"hash|digest|sha|md5|salt",
    "meta": r"id$|name|type|file|path|url|uri|dir|field|label|title|len|size|policy|reset|hint|placeholder|error|msg|message"
    r"|regex|pattern|format|prefix|suffix|header|param|version|expir|count|index|column|method|class|mode|endpoint|host|port"
    r"|min|max|timeout|ttl|algorithm|provider|ref$|require|enable|show|input|form|link|page|status|code",
    "cache": r"cache|map|foreign|primary|sort|group|partition|row|word|monkey|turkey|keyboard|cursor|idempot|csrf|xsrf|_keys",
}
_NAME_WORDS = {word: re.compile(pattern.encode(), re.I) for word, pattern in NAME_WORDS.items()}
SEPARATORS = (b"=", b":", b"=>", b":=", b"==", b",", b"(", b"")
_PLACEHOLDER = re.compile(
    rb"(?i)your|change|example|dummy|sample|placeholder|xxx|\*\*\*|\.\.\.|todo|fixme|fake|insert|enter|replace|redacted|hidden"
    rb"|removed|foo|bar(?![a-z])|baz|lorem|none|null|undefined|default|invalid|wrong|optional|required|some|mock|test|demo|temp"
    rb"|here|abc|1234|qwer|asdf|secret|passw|token|key|auth|hunter2|letmein|welcome|admin|root(?![a-z])|user|value|string|hello"
    rb"|correct"
)
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz qwertyuiop asdfghjkl zxcvbnm 01234567890 9876543210 zyxwvutsrqponmlkjihgfedcba"
    " qazwsxedc 1q2w3e4r5t6y"
)
_STARTS = {_RUNS[at : at + 3] for at in range(len(_RUNS) - 2) if " " not in _RUNS[at : at + 3]}
_SHAPES = {
    "hex": rb"(?:[0-9a-f]+|[0-9A-F]+)\Z",
    "base64": rb"[A-Za-z0-9+/]{16,}={0,2}\Z",
    "number": rb"[0-9.,+-]+\Z",
    "identifier": rb"[A-Za-z_]+[0-9]{0,2}\Z",
    "dotted": rb"[A-Za-z_$@]\w*(?:(?:\.|->|::|\?\.|!\.)[A-Za-z_]\w*)+\Z",
    "constant": rb"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z",
    "kebab": rb"[a-z]+(?:-[a-z]+)+\Z",
}
_SHAPE = {name: re.compile(pattern) for name, pattern in _SHAPES.items()}
_LINE = {
    "defines": re.compile(rb"\b(?:def|func|function|fn|class|import|from|require|return|type|interface|void|struct)\b"),
    "declares": re.compile(rb"\b(?:const|let|var|final|static|string|String|val|my|public|private|char)\b"),
    "asserts": re.compile(rb"(?i)assert|expect|should|\bit\(|test|mock|fixture"),
    "before_user": re.compile(rb"(?i)user|login|mail|host|server|account"),
}
_DECODES = re.compile(rb"(?i)decode|byte|credential|value|base64|hex")
_FOLLOWERS = {
    "comma": b",", "semicolon": b";", "closing": b")}]", "operator": b"+-*/&|=%?",
    "quote": b"\"'`",
}  # fmt: skip
_DIGIT = re.compile(rb"[0-9]")
_LETTERS = re.compile(rb"[a-z]+")
_WORDS = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

Features = dict[str, float]


@functools.cache
def _tables() -> tuple[dict[str, int], frozenset[bytes]]:
    with open(os.path.join(DATA, "generic_words.json"), encoding="ascii") as file:
        content: dict[str, Any] = json.load(file)
    letters = "abcdefghijklmnopqrstuvwxyz_"
    costs = {a + b + c: ord(cost) - 35 for (a, b, c), cost in zip(_triples(letters), content["triples"], strict=True)}
    return costs, frozenset(word.encode() for word in content["words"].split())


def _triples(letters: str) -> list[tuple[str, str, str]]:
    return [(a, b, c) for a in letters for b in letters for c in letters]


def features(found: Candidate) -> Features:
    """Return the numbers for one candidate."""
    value = found.value
    result = {**_of_text(value), **_of_words(value), **_of_name(found.name, value), **_of_place(found)}
    head = value[:200]
    for name, pattern in _SHAPE.items():
        result[name] = float(bool(pattern.match(head)))
    return result


def _of_text(value: bytes) -> Features:
    size = len(value) or 1
    lower = sum(97 <= c <= 122 for c in value)
    upper = sum(65 <= c <= 90 for c in value)
    digits = sum(48 <= c <= 57 for c in value)
    wide = sum(c > 127 for c in value)
    spaces = value.count(b" ")
    other = size - lower - upper - digits - wide - spaces
    text = value.lower().decode("latin-1")
    return {
        "length": min(size, 200),
        "lower": lower / size,
        "upper": upper / size,
        "digits": digits / size,
        "digit_count": min(digits, 40),
        "other": other / size,
        "other_count": min(other, 20),
        "wide": wide / size,
        "spaces": min(spaces, 10),
        "classes": (lower > 0) + (upper > 0) + (digits > 0) + (other > 0),
        "entropy": entropy(value),
        "distinct": len(set(value)) / size,
        "changes": _changes(value),
        "runs": sum(text[at : at + 3] in _STARTS for at in range(size - 2)) / size,
        "repeats": sum(a == b for a, b in pairwise(value)) / size,
        "padded": float(value.endswith(b"=")),
    }


def _changes(value: bytes) -> float:
    """How often letters and digits alternate, of all joints."""
    kinds = [c < 58 for c in value if chr(c).isalnum() and c < 128]
    return sum(a != b for a, b in pairwise(kinds)) / max(1, len(kinds) - 1)


def _of_words(value: bytes) -> Features:
    """How far the letters are those of words: bits a letter by triples, and the share that known words cover."""
    costs, known = _tables()
    total, number, worst, letters, covered, longest = 0, 0, 0.0, 0, 0, 0
    for part in _WORDS.findall(value[:200]):
        word = part.lower()
        letters += len(word)
        longest = max(longest, len(word))
        covered += _covered(word, known)
        text = f"__{word.decode()}_"
        own = [costs[text[at : at + 3]] for at in range(len(text) - 2)]
        total += sum(own)
        number += len(own)
        if len(word) > 3:
            worst = max(worst, sum(own) / len(own))
    return {
        "triples": total / number if number else 0.0,
        "triples_worst": worst,
        "triples_total": min(total, 999),
        "known": covered / letters if letters else 0.0,
        "unknown_letters": min(letters - covered, 60),
        "longest_word": min(longest, 40),
        "placeholder": float(bool(_PLACEHOLDER.search(value))),
    }


def only_words(value: bytes) -> bool:
    """Whether all letters of a value are those of known words, and no digit is among them."""
    known = _tables()[1]
    return not _DIGIT.search(value) and all(_covered(part.lower(), known) == len(part) for part in _WORDS.findall(value[:200]))


def share_of_words(value: bytes) -> float:
    """Return which share of a value's letters known words cover; of 16 random letters half are, in one case of 10,000.

    >>> share_of_words(b"CheckoutSessionCreate2"), share_of_words(b"q7Zk0pXv9TbW3mRj")
    (1.0, 0.0)
    """
    return _of_words(value)["known"]


def _covered(word: bytes, known: frozenset[bytes]) -> int:
    """Return how many letters of a word known words cover, the longest first from the left."""
    at = covered = 0
    while at < len(word) - 2:
        for size in range(min(14, len(word) - at), 2, -1):
            if word[at : at + size] in known:
                covered += size
                at += size
                break
        else:
            at += 1
    return covered


def _of_name(name: bytes, value: bytes) -> Features:
    result = {f"name_{word}": float(bool(pattern.search(name))) for word, pattern in _NAME_WORDS.items()}
    lower, low_value = name.lower(), value.lower()
    parts = [part for part in re.split(rb"[^a-z]+", lower) if len(part) > 2]
    result["name_length"] = min(len(name), 60)
    result["name_parts"] = min(len(re.findall(rb"[A-Z]?[a-z]+|[A-Z]+", name)), 8)
    result["name_upper"] = float(name.isupper())
    result["name_dotted"] = float(b"." in name)
    result["name_ends"] = float(bool(re.search(rb"(?:pass\w{0,6}|pwd|pw|secret|token|key|credentials?|auth)[0-9]?\Z", lower)))
    result["name_alone"] = float(bool(re.match(rb"\W*(?:password|passwd|pass|pwd|secret|token|key|auth|api)\W*\Z", lower)))
    result["value_in_name"] = float(len(low_value) > 2 and low_value.strip(b"-_ ") in lower)
    result["name_in_value"] = float(any(part in low_value for part in parts))
    return result


def _of_place(found: Candidate) -> Features:
    """The form in which name and value stand together, and the rest of the line."""
    before, after = found.before, found.after
    closed = bool(found.quote) and after.startswith(found.quote)
    rest = after[len(found.quote) :] if closed else after
    follows = rest.lstrip()[:1]
    sep = found.sep.strip()
    sep = sep if sep in SEPARATORS else b"==" if sep.endswith(b"==") or sep.startswith(b"!") else sep[-1:]
    result = {f"form_{form}": float(found.form == form) for form in KINDS}
    result.update({f"sep_{kind.decode() or 'none'}": float(sep == kind) for kind in SEPARATORS})
    result["sep_spaced"] = float(found.sep[:1] in b" \t")
    result["quote"] = float(bool(found.quote))
    result["quote_closed"] = float(closed)
    result["wrap"] = float(bool(found.wrap.strip(b" ([{")))
    result["wrap_decodes"] = float(bool(_DECODES.search(found.wrap)))
    for kind, signs in _FOLLOWERS.items():
        result[f"after_{kind}"] = float(bool(follows) and follows in signs)
    result["after_end"] = float(not follows)
    result["after_words"] = float(len(_LETTERS.findall(rest.lower())))
    for kind, pattern in _LINE.items():
        result[kind] = float(bool(pattern.search(before)))
    result["indent"] = float(min(len(before) - len(before.lstrip()), 24))
    result["before_words"] = float(min(len(_LETTERS.findall(before.lower())), 20))
    return result
