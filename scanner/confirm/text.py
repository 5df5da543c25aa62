"""Small measures of text that several confirmations share."""

from __future__ import annotations

import math
from collections import Counter


def entropy(text: bytes) -> float:
    """Return the Shannon entropy of the bytes in bits a character.

    >>> round(entropy(b"aabb"), 1)
    1.0
    """
    if not text:
        return 0.0
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def line_span(data: bytes, offset: int) -> tuple[int, int]:
    """Return the bounds of the line that holds an offset, without its line feed."""
    end = data.find(b"\n", offset)
    return data.rfind(b"\n", 0, offset) + 1, len(data) if end < 0 else end
