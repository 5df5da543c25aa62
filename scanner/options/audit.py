"""The options of `keyleash audit`."""

from __future__ import annotations

import argparse

from scanner.options import Commands, add_jobs, add_rule_choice, command, number

EXAMPLES = """\
examples:
  GITHUB_TOKEN=… keyleash audit github:our-organisation
  keyleash audit --name 'payment-*' --no-archived github:our-organisation
  GH_HOST=git.example.com GH_ENTERPRISE_TOKEN=… keyleash audit github:https://git.example.com/our-organisation
  keyleash audit gitlab:our-group/sub-group       GITLAB_TOKEN, and GITLAB_URL for a server of your own
  keyleash audit ~/mirrors repositories.txt https://example.org/site.git
  keyleash audit --cluster tcp://10.0.0.5:8786 github:our-organisation

Tokens are read from the environment. The next audit fetches and scans what is new; one that was killed goes on.
exit codes: 0 clean and complete, 1 credentials found, 2 wrong use or something was not scanned, 3 a bug, 130 interrupted
"""


def add_audit(commands: Commands) -> None:
    audit = command(commands, "audit", "scan every repository of an organisation, and remember", EXAMPLES)
    audit.add_argument("targets", nargs="+", metavar="TARGET",
                       help="github:NAME, gitlab:GROUP, a folder of clones, a file of URLs, or a URL")  # fmt: skip
    which = audit.add_argument_group("which repositories of an organisation")
    which.add_argument("--name", action="append", default=[], metavar="PATTERN", help="only those so named (repeatable)")
    which.add_argument("--exclude-name", action="append", default=[], metavar="PATTERN", help="not those (repeatable)")
    which.add_argument("--visibility", choices=("all", "public", "private", "internal"), default="all",
                       help="only those that these may see")  # fmt: skip
    which.add_argument("--pushed-since", metavar="DATE", help="only those pushed to since then (YYYY-MM-DD)")
    for what in ("archived", "forks", "wikis", "gists"):
        which.add_argument(f"--no-{what}", action="store_true", help=f"leave out {what}")
    where = audit.add_argument_group("store and clones")
    where.add_argument("--store", metavar="FILE", help="what was looked at and found (default: in your data folder)")
    where.add_argument("--cache", metavar="DIR", help="mirror clones (default: in your cache folder)")
    where.add_argument("--cache-size", metavar="SIZE", help="how much they may take, as in 20G; the oldest make room")
    work = audit.add_argument_group("work")
    add_jobs(work, "processes that scan")
    work.add_argument("--fetch-jobs", type=number, default=4, metavar="N", help="processes that fetch (default: 4)")
    work.add_argument("--timeout", type=_seconds, default=3600, metavar="SECONDS", help="for one fetch (default: 3600)")
    work.add_argument("--cluster", metavar="ADDRESS", help="use the workers of this Dask scheduler, as tcp://HOST:8786")
    rules = audit.add_argument_group("rules")
    add_rule_choice(rules)
    rules.add_argument("--config", metavar="FILE", help="a configuration; those of the repositories do not count")
    output = audit.add_argument_group("output")
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 although credentials were found")
    output.add_argument("--quiet", action="store_true", help="write no line for each repository")
    output.add_argument("--no-progress", action="store_true", help="show plain lines on a terminal too")


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return int(text)
