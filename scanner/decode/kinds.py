"""What archives and compressed files begin with.

Every blob is asked for its kind, so this stands apart from the readers and what they import.
"""

from __future__ import annotations

from scanner.decode import tar

_MAGICS = (
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4"),
    (b"MSCF\0\0\0\0", "cab"), (b"PK\x07\x08PK\x03\x04", "split zip"), (b"\xed\xab\xee\xdb", "rpm"),
    (b"!<arch>\ndebian-binary", "deb"),
)  # fmt: skip
HEADS = tuple(magic for magic, _ in _MAGICS)
_BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


def kind_of(data: bytes) -> str | None:
    """Return the kind of archive that bytes are, or None.

    >>> kind_of(b"PK\\x03\\x04....")
    'zip'
    """
    if data.startswith(HEADS):
        kind = next(kind for magic, kind in _MAGICS if data.startswith(magic))
        if kind == "bzip2" and data[4:10] not in _BZIP2_BLOCKS:
            return None
        return kind
    return "tar" if data[257:262] == b"ustar" and tar.is_tar(data[: tar.BLOCK]) else None
