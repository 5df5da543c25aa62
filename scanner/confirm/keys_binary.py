"""Private keys in binary: DER anywhere in a file, known by its structure and not by a file name."""

from __future__ import annotations

import regex

from scanner.confirm import keys_read
from scanner.confirm.keys_armour import Place, Work
from scanner.confirm.keys_der import SEQUENCE, header

_SIZE = rb"(?:[\x20-\x7f]|\x81[\x00-\xff]|\x82[\x00-\xff]{2})"
DER = regex.compile(
    rb"\x30" + _SIZE + rb"(?:"
    rb"\x02\x01\x00\x02(?:[\x20-\x7f]|\x81[\x00-\xff]|\x82[\x00-\xff]{2})\x00"
    rb"|\x02\x01\x01\x04[\x0e-\x48]"
    rb"|\x02\x01[\x00\x01]\x30(?:[\x05-\x7f]|\x81[\x00-\xff]|\x82[\x00-\xff]{2})\x06"
    rb"(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]|\x07\x2a\x86\x48\xce[\x38\x3d]|\x03\x2b\x65[\x6e-\x71])"
    rb"|\x30(?:[\x10-\x7f]|\x81[\x00-\xff])\x06(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05[\x01-\x0d]|\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01)"
    rb")"
)
"""How PKCS#1 and DSA, SEC1, PKCS#8 and encrypted PKCS#8 begin."""

_STORE = b"\x02\x01\x03\x30"
_STORE_REACH = 64 * 1024


def der(data: bytes, found: regex.Match[bytes], work: Work) -> Place | None:
    """Return the key in DER at an offset; only a whole structure is believed."""
    start = found.start()
    try:
        _, _, stop = header(data, start)
    except ValueError:
        return None
    if stop > len(data) or stop - start > keys_read.MAX_SIZE or _in_store(data, start):
        return None
    work.spend(stop - start)
    key = keys_read.from_der(data[start:stop])
    if key is None or key.confidence != "high" or key.kind.startswith("EC on an unnamed"):
        return None
    return Place(start, stop, key)


def _in_store(data: bytes, start: int) -> bool:
    """Whether an offset lies in a PKCS#12 file: what such a file holds is reported as that file."""
    version = data.rfind(_STORE, max(0, start - _STORE_REACH), start)
    if version < 2:
        return False
    for width in (2, 3, 4, 5):
        first = version - width
        if first >= 0 and data[first] == SEQUENCE and data[first + 1] in (0x80, 0x7E + width):
            size = int.from_bytes(data[first + 2 : version], "big")
            return data[first + 1] == 0x80 or start < version + size
    return False
