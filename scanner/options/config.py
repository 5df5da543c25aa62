"""The options of `keyleash config`."""

from __future__ import annotations

from scanner.options import CONFIG, Commands, command

EXAMPLES = """\
A configuration is .keyleash.yaml at the top of the repository, or [tool.keyleash] in its pyproject.toml;
docs/configuration.md explains every field.

examples:
  keyleash config show                            what is in force here, and which file and line says so
  keyleash config show --config team.yaml
  keyleash config schema > keyleash.schema.json   for an editor that completes and checks
"""


def add_config(commands: Commands) -> None:
    settings = command(commands, "config", "show what is configured, and its schema", EXAMPLES)
    actions = settings.add_subparsers(dest="action", metavar="ACTION", required=True, prog="keyleash config")
    show = actions.add_parser("show", help="show what is in force and where it is said")
    show.add_argument("path", nargs="?", default=".", metavar="PATH", help="a folder or a repository (default: here)")
    show.add_argument("--config", metavar="FILE", help=CONFIG)
    actions.add_parser("schema", help="show the JSON Schema of a configuration")
