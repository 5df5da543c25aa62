"""`keyleash baseline audit`: the findings one by one on a terminal, and what whoever sits there says of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scanner import baseline
from scanner.baseline import Entry
from scanner.commands.baseline import Place, incomplete
from scanner.errors import UsageError
from scanner.model import Finding
from scanner.sinks.escape import visible
from scanner.sinks.text import emit, finding_rows
from scanner.sinks.words import count, place

QUESTION = "[a]ccept it, it is [r]eal, [s]kip it, show the secret [v], [q]uit? "
HIDDEN = "\x1b[1A\x1b[2K"
"""Go up a line and empty it."""


def run(here: Place) -> int:
    """Ask about what is found and not accepted (with --all also about what is), and keep each answer at once.

    Returns 1 when something was called real or is left undecided, as a scan would.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "an audit asks on a terminal, and here is none; 'keyleash baseline update ID' accepts one finding by its id"
        )
    key, entries = here.kept()
    report = here.scan(key, secrets=True)
    today = baseline.today()
    asked = [
        finding
        for finding in report.findings
        if here.options.all or finding.fingerprint not in entries or baseline.expired(entries[finding.fingerprint], today)
    ]
    real = _walk(here, asked, key, entries)
    print(f"\n{here.name}: {count(len(entries), 'entry', 'entries')}.")
    if real:
        print("Real: revoke these first, then take them out of the repository.")
    for finding in real:
        print(f"  {place(finding.locations[0])}: {finding.rule.name}: {finding.rule.fix}")
    left = [finding for finding in report.findings if finding.fingerprint not in entries]
    return incomplete(report) or (1 if left else 0)


def _walk(here: Place, asked: list[Finding], key: bytes, entries: dict[str, Entry]) -> list[Finding]:
    real = []
    for number, finding in enumerate(asked, 1):
        print(f"\n{number} of {len(asked)}")
        emit(finding_rows(finding._replace(secret=None)), sys.stdout)
        known = entries.get(finding.fingerprint)
        if known:
            until = f", until {known.expires}" if known.expires else ""
            print(f"    accepted {visible(known.reason)} ({visible(known.owner) or 'nobody named'}{until})")
        answer = _answer(finding)
        if answer == "q":
            break
        if answer == "a":
            reason = _reason(known.reason if known else here.options.reason)
            entries[finding.fingerprint] = here.entry(finding, reason)
        elif answer == "r":
            real.append(finding)
            entries.pop(finding.fingerprint, None)
        if answer in "ar":
            here.write(key, entries.values())
    return real


def _answer(finding: Finding) -> str:
    """Return the key that was pressed: a, r, s or q. The secret is shown on v alone, until the next key."""
    while True:
        with _keys():  # before the question: what is typed ahead of it is thrown away
            print(QUESTION, end="", flush=True)
            pressed = _key()
        print(pressed if pressed in "arsvq" else "")
        if pressed == "v":
            shown = visible(finding.secret or "")
            with _keys():
                print(f"    {shown}\n    any key hides it ", end="", flush=True)
                _key()
            width = max(1, os.get_terminal_size().columns if os.isatty(1) else 80)
            print("\r\x1b[2K" + HIDDEN * ((len(shown) + 4 + width - 1) // width), end="", flush=True)
        elif pressed in "arsq":
            return pressed


def _reason(usual: str) -> str:
    try:
        typed = input(f"    reason [{visible(usual)}]: ")
    except EOFError:
        typed = ""
    return typed.strip() or usual


@contextmanager
def _keys() -> Iterator[None]:
    """Let single keys through, where the system knows how."""
    try:
        import termios
        import tty
    except ImportError:
        yield
        return
    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _key() -> str:
    """Return one pressed key, in lower case; the end of input is a q."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.getwch().lower()
    pressed = os.read(0, 1)
    return pressed.decode("ascii", "replace").lower() if pressed and pressed != b"\x04" else "q"
