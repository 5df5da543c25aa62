"""The options of `keyleash baseline`."""

from __future__ import annotations

from scanner.options import BASELINE, CONFIG, Commands, command

EXAMPLES = """\
A baseline, .keyleash-baseline.yaml at the top of the repository, holds the fingerprints of credentials that a team
has looked at and accepted; hook and scan leave these out and say how many. docs/baseline.md explains it.

examples:
  keyleash baseline create --reason 'before we began'   accept all that is found now
  keyleash baseline audit                               decide on each, on a terminal
  keyleash baseline update 3f9a21 --reason 'test data'  accept what has this id in the report
  keyleash baseline update                              repair what a merge left, or accept all that is new
  keyleash baseline prune                               remove what has expired or is gone
  keyleash baseline import .gitleaksignore .secrets.baseline
"""


def add_baseline(commands: Commands) -> None:
    top = command(commands, "baseline", "accept what was looked at: make, update, audit, prune and import", EXAMPLES)
    actions = top.add_subparsers(dest="action", metavar="ACTION", required=True, prog="keyleash baseline")
    helps = {
        "create": "accept all that is found now, in a new file",
        "update": "repair what a merge left; else accept what is found and not accepted, or only what the ids name",
        "audit": "walk through what is found on a terminal: accept it, call it real, or skip it",
        "prune": "remove entries that have expired or are not found any more",
        "import": "accept what files of gitleaks (reports, .gitleaksignore) and detect-secrets (.secrets.baseline) ignore",
    }
    for name, said in helps.items():
        action = actions.add_parser(name, help=said, description=said[0].upper() + said[1:] + ".")
        if name == "update":
            action.add_argument("ids", nargs="*", metavar="ID", help="the beginning of an id that the report shows")
            action.add_argument("--staged", action="store_true", help="look at what is staged alone")
        if name == "import":
            action.add_argument("files", nargs="+", metavar="FILE")
        if name == "audit":
            action.add_argument("--all", action="store_true", help="ask about what is accepted already, too")
        action.add_argument("--no-history", action="store_true", help="look at the files only, not the object store")
        action.add_argument("--baseline", metavar="FILE", help=BASELINE)
        action.add_argument("--config", metavar="FILE", help=CONFIG)
        if name != "prune":
            action.add_argument("--reason", default="" if name == "import" else "not stated", help="why it is accepted")
            action.add_argument("--owner", metavar="NAME", help="who answers for it (default: git's user.email)")
            action.add_argument("--expires", metavar="DAY", help="the last day it is accepted: 2027-01-31, or 90d from now")
