"""Count letter triples and words in source trees: what `scanner/data/generic_words.json` holds.

    python tests/bench/count_words.py TREE... > scanner/data/generic_words.json

`triples` holds one character for each triple of the letters a to z and `_` (the edge of a
word), in order: its cost in half bits after the two letters before it, plus 35. `words` are those
that stand in the most files. Run the trainer again after a change.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections import Counter

LETTERS = "abcdefghijklmnopqrstuvwxyz_"
WORDS = 4000
TEXT = (
    ".py",
    ".rb",
    ".js",
    ".ts",
    ".go",
    ".java",
    ".c",
    ".h",
    ".php",
    ".md",
    ".rst",
    ".txt",
    ".yml",
    ".yaml",
    ".html",
    ".xml",
    ".erb",
    ".sh",
)
_PART = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def main() -> int:
    files: Counter[bytes] = Counter()
    for tree in sys.argv[1:]:
        for folder, _, names in os.walk(tree):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(TEXT) and os.path.isfile(path) and os.path.getsize(path) < 1_000_000:
                    with open(path, "rb") as file:
                        files.update({part.lower() for part in _PART.findall(file.read())})
    words = [word for word, count in files.most_common() if len(word) >= 3 and count >= 3]
    json.dump(
        {"triples": _costs(files), "words": " ".join(sorted(word.decode() for word in words[:WORDS]))}, sys.stdout, indent=0
    )
    sys.stdout.write("\n")
    return 0


def _costs(files: Counter[bytes]) -> str:
    """Weigh each word by the root of how many files have it, so that rare words count too."""
    triples: Counter[str] = Counter()
    for word, count in files.items():
        if count >= 3 and len(word) > 1:
            text = f"__{word.decode()}_"
            for at in range(len(text) - 2):
                triples[text[at : at + 3]] += math.sqrt(count)  # type: ignore[assignment]
    result = []
    for a in LETTERS:
        for b in LETTERS:
            total = sum(triples[a + b + c] for c in LETTERS) + len(LETTERS) * 0.5
            result += [min(60, round(-2 * math.log2((triples[a + b + c] + 0.5) / total))) for c in LETTERS]
    return "".join(chr(35 + cost) for cost in result)


if __name__ == "__main__":
    raise SystemExit(main())
