"""Keyleash finds credentials in git before they are public.

    >>> from scanner import scan
    >>> from scanner.sources.tree import Folder
    >>> report = scan([Folder("docs")])
    >>> report.coverage.files > 0
    True

`scan` is the same core that the command line uses; see `scanner.pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "scan"]

if TYPE_CHECKING:
    from scanner.pipeline import scan


def __getattr__(name: str) -> object:
    # `scan` is imported when it is first used, so that `keyleash --help` does not load the engine.
    if name == "scan":
        from scanner.pipeline import scan

        return scan
    raise AttributeError(f"module 'scanner' has no attribute {name!r}")
