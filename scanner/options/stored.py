"""The arguments of the commands that read a store: `findings`, `report` and `remedy`."""

from __future__ import annotations

import argparse

from scanner.model import LEVELS
from scanner.options import Commands, command

STATES = ("open", "accepted", "false-positive", "revoked")
_STORE = "what 'keyleash audit' or 'scan --store' wrote (default: that of 'keyleash audit')"
_CONFIG = "a configuration whose own rules the findings may be of"

_FINDINGS_EXAMPLES = """\
examples:
  keyleash findings list --state open --severity critical --severity high
  keyleash findings list --store ours.keyleash --older-than 90d --format csv --output old.csv
  keyleash findings list --store ours.keyleash --format sarif --output sarif/    a file a repository
  keyleash findings show --store ours.keyleash 3f9a21
  keyleash findings set --store ours.keyleash 3f9a21 --state revoked --reason 'deleted in IAM' --who ann
A finding is named by the first digits of its fingerprint, at least 6. Decisions outlive further scans; none is ever deleted.
"""
_REPORT_EXAMPLES = """\
examples:
  keyleash report --output report.html
  keyleash report report.json --format markdown       from 'keyleash scan --format json --output report.json'
  keyleash report *.json --severity critical --output worst.html
The page is one file that asks no network for anything; secrets in it are redacted, places and authors are not.
"""
_REMEDY_EXAMPLES = """\
examples:
  keyleash remedy 3f9a21
  keyleash remedy 3f9a21 --store ours.keyleash --repository ~/site --replacements /tmp/replacements.txt
Rotation comes first: a secret that was pushed is known, whatever becomes of the history. The store holds no secret; with
--replacements it is read again from the repository's objects and written, readable by you alone, for git filter-repo.
Delete that file when you are done.
"""


def add_findings(commands: Commands) -> None:
    top = command(commands, "findings", "list, show and triage the findings of a store", _FINDINGS_EXAMPLES)
    actions = top.add_subparsers(dest="action", metavar="ACTION", required=True, prog="keyleash findings")
    listing = actions.add_parser("list", help="list them, or export them", description="List findings, the most urgent first.")
    listing.add_argument("--store", metavar="FILE", help=_STORE)
    _choice(listing)
    listing.add_argument("-f", "--format", choices=("text", "json", "csv", "sarif"), default="text", help="default: text")
    listing.add_argument("-o", "--output", metavar="FILE", help="where to write it; for SARIF of several repositories a folder")
    listing.add_argument("--config", metavar="FILE", help=_CONFIG)
    show = actions.add_parser("show", help="show one with its places and decisions", description="Show a finding.")
    show.add_argument("id", metavar="FINGERPRINT")
    show.add_argument("--store", metavar="FILE", help=_STORE)
    show.add_argument("--config", metavar="FILE", help=_CONFIG)
    decide = actions.add_parser("set", help="decide on findings; the history is kept", description="Decide on findings.")
    decide.add_argument("ids", nargs="+", metavar="FINGERPRINT")
    decide.add_argument("--store", metavar="FILE", help=_STORE)
    decide.add_argument("--state", choices=STATES, required=True, help="what it is from now on")
    decide.add_argument("--reason", required=True, help="why; it stays readable for ever")
    decide.add_argument("--who", metavar="NAME", help="who decides (default: git's user.email)")


def add_report(commands: Commands) -> None:
    report = command(commands, "report", "write a report for people: a page for the web, or a summary", _REPORT_EXAMPLES)
    report.add_argument("reports", nargs="*", metavar="REPORT", help="reports of 'scan --format json', in place of a store")
    report.add_argument("--store", metavar="FILE", help=_STORE)
    _choice(report)
    report.add_argument("-f", "--format", choices=("html", "markdown"), default="html", help="default: html")
    report.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: standard output)")
    report.add_argument("--config", metavar="FILE", help=_CONFIG)


def add_remedy(commands: Commands) -> None:
    remedy = command(commands, "remedy", "show what to do about one credential, command by command", _REMEDY_EXAMPLES)
    remedy.add_argument("id", metavar="FINGERPRINT", help="the first digits of its fingerprint")
    remedy.add_argument("--store", metavar="FILE", help=_STORE)
    remedy.add_argument("--report", metavar="REPORT", help="a report of 'scan --format json', in place of a store")
    remedy.add_argument("--repository", metavar="FOLDER", help="a clone to read it from (default: where it was scanned)")
    remedy.add_argument("--cache", metavar="DIR", help="where an audit keeps its clones (default: in your cache folder)")
    remedy.add_argument("--replacements", metavar="FILE", help="write there what git filter-repo replaces: the secret itself")
    remedy.add_argument("--config", metavar="FILE", help=_CONFIG)


def _choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which findings (default: all; each option is repeatable but for the ages)")
    group.add_argument("--repository", action="append", default=[], metavar="NAME",
                       help="in this repository: its name, a part of it between slashes, or a pattern with *")  # fmt: skip
    group.add_argument("--rule", action="append", default=[], metavar="ID", help="of this rule")
    group.add_argument("--severity", action="append", default=[], choices=LEVELS, help="low, medium, high or critical")
    group.add_argument("--state", action="append", default=[], choices=STATES, help="open, accepted, false-positive or revoked")
    group.add_argument("--older-than", metavar="AGE", help="there since before: 90d, 12w, 6m, 2y, or a day as 2024-01-31")
    group.add_argument("--newer-than", metavar="AGE", help="there since then or later")
