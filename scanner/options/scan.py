"""The options of `keyleash scan`."""

from __future__ import annotations

from scanner.options import Commands, add_decisions, add_jobs, add_outputs, add_rule_choice, add_threshold, command

EXAMPLES = """\
examples:
  keyleash scan                                   this repository: files and whole history
  keyleash scan --no-history ~/site               the files only
  keyleash scan --since 2024-01-01 --refs main    what that branch got since
  keyleash scan ~/site ~/api                      each under its own configuration, in one report
  keyleash scan --staged                          what the next commit would add
  keyleash scan --range origin/main..HEAD         what these commits brought
  keyleash scan --store ~/site.keyleash ~/site    the history only where it is new since the last time
  keyleash scan --explain config/settings.py      why each place that a rule looks at is reported or dropped
  keyleash scan --format text --format sarif --output keyleash.sarif
                                                  to the terminal, and SARIF to a file
  terraform show -json | keyleash scan --stdin --path plan.json

exit codes: 0 clean and complete, 1 credentials found, 2 wrong use or incomplete scan, 3 a bug, 130 interrupted
"""


def add_scan(commands: Commands) -> None:
    scan = command(commands, "scan", "scan folders, files and repositories", EXAMPLES)
    scan.add_argument("paths", nargs="*", metavar="PATH", help="a folder, a file or a repository (default: here)")
    what = scan.add_argument_group("what to scan (default for a repository: its files and its whole object store)")
    what.add_argument("--staged", action="store_true", help="what is staged, less what HEAD already has")
    what.add_argument("--range", metavar="A..B", help="the changes and messages of the commits that B has and A has not")
    what.add_argument("--no-history", action="store_true", help="the files only, not the object store")
    what.add_argument("--refs", action="append", default=[], metavar="REF",
                      help="of the history only what this ref leads to, or those like 'heads/*' (repeatable)")  # fmt: skip
    what.add_argument("--since", metavar="DATE", help="of the history only what commits since then brought")
    what.add_argument("--reachable-only", action="store_true", help="of the history only what a ref leads to")
    add_jobs(what)
    what.add_argument("--store", metavar="FILE",
                      help="remember there what was looked at, and look at it again only when the rules change")  # fmt: skip
    what.add_argument("--stdin", action="store_true", help="standard input")
    what.add_argument("--path", metavar="NAME", help="the name to report standard input under")
    rules = scan.add_argument_group("rules")
    add_rule_choice(rules)
    add_decisions(rules)
    output = scan.add_argument_group("output")
    add_outputs(output, "how to write the report (default: text; repeatable)")
    output.add_argument(
        "--explain", action="store_true", help="of files, say first why each place that a rule looks at is reported or dropped"
    )
    output.add_argument("--show-secrets", action="store_true", help="write the secrets themselves: mind where the report goes")
    add_threshold(output)
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 although credentials were found")
    output.add_argument("--quiet", action="store_true", help="write no text when nothing was found and nothing skipped")
    output.add_argument("--no-progress", action="store_true", help="show no progress on a terminal")
