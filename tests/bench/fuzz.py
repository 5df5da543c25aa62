"""Fuzzing what reads hostile bytes, with atheris: no exception, no place outside of the text, and none slower than a second.

    python -m tests.bench.fuzz {decode,keys,archives,stretched} SECONDS [FOLDER]

Needs `pip install atheris pytest hypothesis`. FOLDER keeps the corpus; a crash is written to the current folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["scanner.decode", "scanner.confirm"]):
    from scanner.confirm import CONFIRMATIONS, confirmation
    from scanner.decode import archives, chunks, encodings  # noqa: F401
    from scanner.decode.limits import Budget
    from scanner.engine import HyperscanEngine
    from scanner.model import Blob, Origin, Skipped
    from scanner.pipeline import matches
    from scanner.rules import load_builtin

    for name in CONFIRMATIONS:
        confirmation(name)

ENGINE, RULES = HyperscanEngine(load_builtin()), load_builtin()
KINDS = ("zip", "tar", "gzip", "bzip2", "xz")
LONGEST = 1.0


def decode(data: bytes) -> None:
    for found in chunks(data, "x", ENGINE.anchors):
        if isinstance(found, Skipped):
            continue
        chunk, _ = found
        for offset in (0, len(chunk.data) // 2, len(chunk.data)):
            place = chunk.offset_of(offset) if chunk.offset_of else offset
            assert 0 <= place <= len(chunk.text), (place, chunk.way)
        low, high = chunk.decoded or (0, 0)
        assert 0 <= low <= high <= len(chunk.data), (low, high, chunk.way)


def keys(data: bytes) -> None:
    for found in matches(Blob(data, Origin("fuzz", "x")), ENGINE, RULES):
        if not isinstance(found, Skipped):
            match, chunk = found
            assert 0 <= match.start < match.end <= len(chunk.data), (match, chunk.way)


def read(data: bytes) -> None:
    for _ in archives.contents(
        data[1:], KINDS[data[0] % len(KINDS)] if data else "tar", Budget(1 << 22, 1 << 22, RULES.policy.limits)
    ):
        pass
    decode(data[1:])


def stretched(data: bytes) -> None:
    """Look at up to a megabyte: each piece between zero bytes, repeated as often as its first byte says."""
    pieces = [piece[1:] * (1 << piece[0] % 17) for piece in data.split(b"\0")[:64] if piece]
    keys(b"".join(pieces)[: 1 << 20])


TARGETS: dict[str, Callable[[bytes], None]] = {"decode": decode, "keys": keys, "archives": read, "stretched": stretched}


def seeds(target: str) -> Iterator[bytes]:
    from tests.confirm import keys_made as made
    from tests.conftest import Secrets
    from tests.decode import test_decode

    text = Secrets("fuzz").aws_file().encode()
    if target == "stretched":
        texts = [*seeds("decode"), *seeds("keys"), *(rule.examples[0].encode() for rule in RULES.rules)]
        for number, seed in enumerate(texts):
            pieces = [seed[at : at + 24].replace(b"\0", b"") for at in range(0, min(len(seed), 480), 24)]
            yield b"\0".join(bytes([1 + (number + place * 7) % 13]) + piece for place, piece in enumerate(pieces))
    elif target == "decode":
        for encode, _ in test_decode.ENCODINGS.values():
            yield encode(text)
            yield encode(encode(b"aws_secret=abcd\n"))
        yield from (piece * 9 for piece in test_decode.HOSTILE.values())
    elif target == "archives":
        for number, (pack, _) in enumerate(test_decode.ARCHIVES.values()):
            yield bytes([number % 5]) + pack(text)
    else:
        for _, make, _, _ in made.ARMOURED.values():
            for wrap in list(made.WRAPPINGS.values())[::5]:
                yield wrap(make()).encode()
        for make, _, _ in made.FIELDS.values():
            yield make().encode()
        yield from (made.pkcs8(key) for key in (made.rsa_key(), made.ec_key(), made.ed_key()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("target", choices=TARGETS)
    arguments.add_argument("seconds", type=int)
    arguments.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    given = arguments.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(given.target)):
        (folder / f"seed-{number}").write_bytes(seed)
    warnings.simplefilter("ignore")

    def one(data: bytes) -> None:
        begin = time.process_time()
        TARGETS[given.target](data)
        if time.process_time() - begin > LONGEST:
            Path(f"slow-{given.target}-{time.monotonic_ns()}").write_bytes(data)
            print(f"slow: {time.process_time() - begin:.1f} s for {len(data)} bytes", flush=True)

    atheris.Setup(
        [sys.argv[0], str(folder), f"-max_total_time={given.seconds}", "-max_len=20000", "-rss_limit_mb=2500", "-timeout=20"],
        one,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
