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
