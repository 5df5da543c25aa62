"""The options of `keyleash rules` and `keyleash version`."""

from __future__ import annotations

from scanner.options import Commands, command

EXAMPLES = """\
examples:
  keyleash rules list
  keyleash rules show aws-secret-access-key
  keyleash rules docs > rules.md                  the same of all rules, as a page
  keyleash rules check our-rules.yaml             a team's own rules: fields, examples and negatives on both engines,
                                                  what built-in rules find already, and what each costs
"""


def add_rules(commands: Commands) -> None:
    rules = command(commands, "rules", "list, show and check rules", EXAMPLES)
    actions = rules.add_subparsers(dest="action", metavar="ACTION", required=True, prog="keyleash rules")
    actions.add_parser("list", help="list the built-in rules")
    show = actions.add_parser("show", help="show a rule: why it matters, what to do, its pattern and examples")
    show.add_argument("id", metavar="ID")
    actions.add_parser("docs", help="write a page, in Markdown, of all built-in rules")
    check = actions.add_parser(
        "check", help="check rule files: fields, patterns, examples and negatives on both engines, overlap and cost",
        description="Exit code 0 when all rules are right, 2 when one is not; overlap and cost are told, and are no error.",
    )  # fmt: skip
    check.add_argument("files", nargs="+", metavar="FILE")


def add_version(commands: Commands) -> None:
    commands.add_parser("version", help="show the version, the engine, the number of rules and their digest")
