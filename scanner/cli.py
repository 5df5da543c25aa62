"""The command line: arguments in, an exit code out. The only place that exits.

0 clean and complete, 1 findings, 2 wrong use or an incomplete scan, 3 a bug in Keyleash,
130 interrupted. argparse and not a richer library, because a hook runs on every commit
and start-up is most of what it costs (`docs/decisions.md`).
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from scanner import __version__
from scanner.errors import ScanError
from scanner.options import Help, Parser

BUG = """\
keyleash: this is a bug in Keyleash {version}: {kind} in {place}. Nothing was reported as clean.
Please report it with the lines below; they hold no scanned text. KEYLEASH_DEBUG=1 shows the whole error,
which may."""

# By command: the module of `scanner.options` that adds its options, and the one of `scanner.commands` that carries it out.
# Both are imported when it is called: a hook must not wait for what only a scan needs.
COMMANDS: dict[str, tuple[str, str]] = {
    "scan": ("scan", "scan"),
    "audit": ("audit", "audit"),
    "hook": ("hook", "hook"),
    "install": ("clone", "install"),
    "uninstall": ("clone", "install"),
    "doctor": ("clone", "doctor"),
    "ci": ("ci", "ci"),
    "rules": ("rules", "rules"),
    "config": ("config", "config"),
    "baseline": ("baseline", "baseline"),
    "findings": ("stored", "findings"),
    "report": ("stored", "report"),
    "remedy": ("stored", "remedy"),
    "version": ("rules", "rules"),
}


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of one command where only that is wanted."""
    top = Parser(
        prog="keyleash",
        description="Finds credentials in git before they are public.",
        epilog="'keyleash COMMAND --help' explains a command with examples.",
        formatter_class=Help,
    )
    top.add_argument("--version", action="version", version=f"keyleash {__version__}")
    # Without `prog`, argparse formats a usage line to find it out, and that imports much.
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="keyleash")
    for name in [command] if command in COMMANDS else COMMANDS:
        module = import_module(f"scanner.options.{COMMANDS[name][0]}")
        getattr(module, f"add_{name}")(commands)
    return top


def run(arguments: Sequence[str]) -> int:
    """Parse the arguments, carry out the command and return its exit code."""
    options = parser(arguments[0] if arguments else None).parse_args(arguments)
    module = import_module(f"scanner.commands.{COMMANDS[options.command][1]}")
    return int(module.run(options))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; every error becomes one clear line and an exit code here."""
    try:
        try:
            return run(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except ScanError as problem:
        _complain(f"keyleash: {problem}")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the report has gone; Python would complain once more when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except Exception as problem:
        import traceback

        if os.environ.get("KEYLEASH_DEBUG"):
            traceback.print_exc()
            return 3
        frames = traceback.extract_tb(problem.__traceback__)
        place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
        _complain(BUG.format(version=__version__, kind=type(problem).__name__, place=place))
        for frame in frames:
            _complain(f"  {os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}")
        return 3


def _complain(line: str) -> None:
    from scanner.sinks.escape import visible

    print("\n".join(visible(part) for part in line.split("\n")), file=sys.stderr)


def _terminated(number: int, frame: object) -> NoReturn:
    """End as for Ctrl-C, so that what was started (git, processes) and half-written files are ended, too."""
    raise SystemExit(128 + number)


def entry() -> NoReturn:
    """What the installed command calls: `main`, and for a hook an end without Python's tidying up.

    Collecting garbage and taking the interpreter down again cost a hook as much as its scan.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - whoever closed it wants none
    if sys.argv[1:2] != ["hook"]:
        signal.signal(signal.SIGTERM, _terminated)
        sys.exit(main())
    gc.disable()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
