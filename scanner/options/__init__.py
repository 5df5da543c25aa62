"""What each command takes: one module a command, read only when that command is called or its help is asked for.

They stand apart from `scanner.commands`, which import what a command needs to run: help has to
be had without that, and a hook parses no other command's options.
"""

from __future__ import annotations

import argparse
import os
from typing import NoReturn, TypeAlias

from scanner.errors import UsageError
from scanner.model import LEVELS

BASELINE = "the baseline (default: .keyleash-baseline.yaml at the top of the repository)"
CONFIG = "the configuration (default: .keyleash.yaml, or [tool.keyleash] in pyproject.toml, at the top of the repository)"


class Parser(argparse.ArgumentParser):
    """Wrong use is a `UsageError`, told like every other error."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What commands are added to."""


class Help(argparse.RawDescriptionHelpFormatter):
    """argparse makes one of these for each option it is told of, and imports shutil each time to learn the terminal's width."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """Return the width of the terminal, or what `COLUMNS` says."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size().columns or 80
    except OSError:  # standard output is no terminal
        return 80


class _Output(argparse.Action):
    """Collects --format and --output in the order in which they were written."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        kind = "format" if option in ("--format", "-f") else "output"
        namespace.outputs = [*(namespace.outputs or []), (kind, values)]


def command(commands: Commands, name: str, help: str, epilog: str) -> argparse.ArgumentParser:
    """Add a command and return its parser; what `help` says in a line describes it on its own page, too."""
    return commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", epilog=epilog, formatter_class=Help
    )


def number(text: str) -> int:
    """Read a number of processes."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to 256")
    return int(text)


def add_jobs(to: argparse._ActionsContainer, what: str = "processes to use") -> None:
    to.add_argument("--jobs", type=number, default=os.cpu_count() or 1, metavar="N",
                    help=f"{what} (default: one a processor)")  # fmt: skip


def add_rule_choice(to: argparse._ActionsContainer) -> None:
    to.add_argument("--rule", action="append", default=[], metavar="ID", help="use only this rule (repeatable)")
    to.add_argument("--exclude-rule", action="append", default=[], metavar="ID", help="do without this rule (repeatable)")


def add_decisions(to: argparse._ActionsContainer, *, ref: bool = True) -> None:
    """Add what names the team's configuration and baseline."""
    to.add_argument("--config", metavar="FILE", help=CONFIG)
    to.add_argument("--baseline", metavar="FILE", help=BASELINE)
    if ref:
        said = "read the baseline as it is in this commit or branch, not in the files"
        to.add_argument("--baseline-ref", metavar="REF", help=said)
    to.add_argument("--no-baseline", action="store_true", help="report what the baseline accepts, too")


def add_outputs(to: argparse._ActionsContainer, help: str) -> None:
    from scanner.sinks import SINKS

    to.add_argument("-f", "--format", dest="outputs", action=_Output, choices=tuple(SINKS), help=help)
    to.add_argument("-o", "--output", dest="outputs", action=_Output, metavar="FILE",
                    help="where to write the format named before it (default: standard output)")  # fmt: skip


def add_threshold(to: argparse._ActionsContainer) -> None:
    to.add_argument("--fail-on", choices=LEVELS, metavar="SEVERITY",
                    help="the least severity that makes the exit code 1: low, medium, high or critical")  # fmt: skip
