"""Progress is drawn on a terminal, in bytes with a rate and the time that remains, and nowhere else."""

from __future__ import annotations

import io
import os
import pty

import pytest

from scanner.commands import progress as module
from scanner.commands.progress import progress
from scanner.model import Coverage


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0)
    monkeypatch.setattr(module, "_INTERVAL", 0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    parent, child = pty.openpty()
    with os.fdopen(child, "w") as terminal, progress(terminal, wanted=True) as advance:
        assert advance
        advance(Coverage(blobs=3, bytes=5_000_000, packed=1_000_000, expected=4_000_000))
        advance(Coverage(blobs=9, bytes=9_000_000, packed=2_000_000, expected=4_000_000))
    text = ""
    try:
        while data := os.read(parent, 100_000):
            text += data.decode()
    except OSError:
        pass  # how Linux says that the other end is closed
    assert "Scanning: 9 blobs, 9.0 MB" in text
    assert "2.0/4.0 MB" in text
    os.close(parent)


def test_nothing_where_nobody_looks() -> None:
    with progress(io.StringIO(), wanted=True) as advance:
        assert advance is None
