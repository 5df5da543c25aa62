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
from typing import NoReturn

from scanner import __version__
from scanner.errors import ScanError, UsageError
from scanner.model import LEVELS

BUG = """\
keyleash: this is a bug in Keyleash {version}: {kind} in {place}. Nothing was reported as clean.
Please report it with the lines below; they hold no scanned text. KEYLEASH_DEBUG=1 shows the whole error,
which may."""

FORMATS = ("text", "json", "sarif", "github", "gitlab", "markdown")

_SCAN_EXAMPLES = """\
examples:
  keyleash scan                                   this repository: files and whole history
  keyleash scan --no-history ~/site               the files only
  keyleash scan --since 2024-01-01 --refs main    what that branch got since
  keyleash scan ~/site ~/api                      each under its own configuration, in one report
  keyleash scan --staged                          what the next commit would add
  keyleash scan --range origin/main..HEAD         what these commits brought
  keyleash scan --store ~/site.keyleash ~/site    the history only where it is new since the last time
  keyleash scan --format text --format sarif --output keyleash.sarif
                                                  to the terminal, and SARIF to a file
  terraform show -json | keyleash scan --stdin --path plan.json

exit codes: 0 clean and complete, 1 credentials found, 2 wrong use or incomplete scan, 3 a bug, 130 interrupted
"""
_HOOK_EXAMPLES = """\
What is scanned is the staged content of the files of a commit, whole, less what the commit before it already
has. With files that are not staged (pre-commit run --all-files) it scans those files as they are, and with
--from-ref and --to-ref the commits between the two. With --stage pre-push it scans the commits, messages
and tags that the remote does not have, and with --stage commit-msg the message.

  repos:
    - repo: https://github.com/keyleash/keyleash
      rev: v{version}
      hooks:
        - id: keyleash
        - id: keyleash-commit-msg
        - id: keyleash-push

then 'pre-commit install --hook-type pre-commit --hook-type commit-msg --hook-type pre-push'. Without pre-commit,
'keyleash install' writes the hooks of git, and 'keyleash doctor' says whether they work.

KEYLEASH_GIT_TIMEOUT=SECONDS is how long one command of git may take (default: 60).
"""
_CONFIG_HELP = "the configuration (default: .keyleash.yaml, or [tool.keyleash] in pyproject.toml, at the top of the repository)"
_CONFIG_EXAMPLES = """\
A configuration is .keyleash.yaml at the top of the repository, or [tool.keyleash] in its pyproject.toml;
docs/configuration.md explains every field.

examples:
  keyleash config show                            what is in force here, and which file and line says so
  keyleash config show --config team.yaml
  keyleash config schema > keyleash.schema.json   for an editor that completes and checks
"""
_CI_EXAMPLES = """\
What is scanned is told by the job: a pull or merge request's own commits, what a push brought, everything on a schedule.
Known services: GitHub Actions (also Gitea and Forgejo), GitLab CI, Azure Pipelines, Bitbucket Pipelines, CircleCI,
Buildkite, Travis CI, Drone, Woodpecker and Jenkins; with --base any other. docs/ci.md has a snippet for each.
On GitHub it writes annotations, the job's summary and the outputs findings, blocking, skipped and sarif-file.

examples:
  keyleash ci --sarif-file keyleash.sarif
  keyleash ci --mode full --fail-on high          a scheduled job
  keyleash ci --format gitlab --output gl-secret-detection-report.json
  keyleash ci --base origin/main                  what HEAD has and origin/main has not

exit codes: 0 nothing blocks and all was scanned, 1 credentials that block, 2 wrong use or incomplete scan, 3 a bug
"""
_BASELINE_HELP = "the baseline (default: .keyleash-baseline.yaml at the top of the repository)"
_BASELINE_EXAMPLES = """\
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
_INSTALL_EXAMPLES = """\
Writes pre-commit, commit-msg and pre-push into the folder in which git looks for hooks. A hook that is there goes on
running, before ours; 'keyleash uninstall' puts it back as it was. In a folder that the team shares through the
repository (Husky, or core.hooksPath within the work tree) a few lines are put into the hook that is there.

examples:
  keyleash install
  keyleash install --stage pre-push ~/site
  keyleash doctor
"""
_RULES_EXAMPLES = """\
examples:
  keyleash rules list
  keyleash rules show aws-secret-access-key
  keyleash rules docs > rules.md                  the same of all rules, as a page
  keyleash rules check our-rules.yaml             a team's own rules: fields, examples and negatives on both engines,
                                                  what built-in rules find already, and what each costs
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


class _Output(argparse.Action):
    """Collects --format and --output in the order in which they were written."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        kind = "format" if option in ("--format", "-f") else "output"
        namespace.outputs = [*(namespace.outputs or []), (kind, values)]


class _Help(argparse.RawDescriptionHelpFormatter):
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


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of one command where only that is wanted."""
    top = _Parser(
        prog="keyleash",
        description="Finds credentials in git before they are public.",
        epilog="'keyleash COMMAND --help' explains a command with examples.",
        formatter_class=_Help,
    )
    top.add_argument("--version", action="version", version=f"keyleash {__version__}")
    # Without `prog`, argparse formats a usage line to find it out, and that imports much.
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="keyleash")
    for name in [command] if command in COMMANDS else COMMANDS:
        COMMANDS[name](commands)
    return top


def _add(commands: argparse._SubParsersAction[_Parser], name: str, help: str, epilog: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".", epilog=epilog,
        formatter_class=_Help,
    )  # fmt: skip


def _add_scan(commands: argparse._SubParsersAction[_Parser]) -> None:
    scan = _add(commands, "scan", "scan folders, files and repositories", _SCAN_EXAMPLES)
    scan.add_argument("paths", nargs="*", metavar="PATH", help="a folder, a file or a repository (default: here)")
    what = scan.add_argument_group("what to scan (default for a repository: its files and its whole object store)")
    what.add_argument("--staged", action="store_true", help="what is staged, less what HEAD already has")
    what.add_argument("--range", metavar="A..B", help="the changes and messages of the commits that B has and A has not")
    what.add_argument("--no-history", action="store_true", help="the files only, not the object store")
    what.add_argument("--refs", action="append", default=[], metavar="REF",
                      help="of the history only what this ref leads to, or those like 'heads/*' (repeatable)")  # fmt: skip
    what.add_argument("--since", metavar="DATE", help="of the history only what commits since then brought")
    what.add_argument("--reachable-only", action="store_true", help="of the history only what a ref leads to")
    what.add_argument("--jobs", type=_jobs, default=os.cpu_count() or 1, metavar="N",
                      help="processes to use (default: one a processor)")  # fmt: skip
    what.add_argument("--store", metavar="FILE",
                      help="remember there what was looked at, and look at it again only when the rules change")  # fmt: skip
    what.add_argument("--stdin", action="store_true", help="standard input")
    what.add_argument("--path", metavar="NAME", help="the name to report standard input under")
    rules = scan.add_argument_group("rules")
    rules.add_argument("--rule", action="append", default=[], metavar="ID", help="use only this rule (repeatable)")
    rules.add_argument("--exclude-rule", action="append", default=[], metavar="ID", help="do without this rule (repeatable)")
    rules.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    rules.add_argument("--baseline", metavar="FILE", help=_BASELINE_HELP)
    rules.add_argument(
        "--baseline-ref", metavar="REF", help="read the baseline as it is in this commit or branch, not in the files"
    )
    rules.add_argument("--no-baseline", action="store_true", help="report what the baseline accepts, too")
    output = scan.add_argument_group("output")
    output.add_argument("-f", "--format", dest="outputs", action=_Output, choices=FORMATS,
                        help="how to write the report (default: text; repeatable)")  # fmt: skip
    output.add_argument("-o", "--output", dest="outputs", action=_Output, metavar="FILE",
                        help="where to write the format named before it (default: standard output)")  # fmt: skip
    output.add_argument("--show-secrets", action="store_true", help="write the secrets themselves: mind where the report goes")
    output.add_argument("--fail-on", choices=LEVELS, metavar="SEVERITY",
                        help="the least severity that makes the exit code 1: low, medium, high or critical")  # fmt: skip
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 although credentials were found")
    output.add_argument("--quiet", action="store_true", help="write no text when nothing was found and nothing skipped")
    output.add_argument("--no-progress", action="store_true", help="show no progress on a terminal")


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to 256")
    return int(text)


def _add_audit(commands: argparse._SubParsersAction[_Parser]) -> None:
    from scanner.commands.audit_options import EXAMPLES, add

    add(_add(commands, "audit", "scan every repository of an organisation, and remember", EXAMPLES), _jobs)


def _add_hook(commands: argparse._SubParsersAction[_Parser]) -> None:
    epilog = _HOOK_EXAMPLES.format(version=__version__)
    hook = _add(commands, "hook", "scan a commit that is being made, or a push; the entry for pre-commit and git", epilog)
    hook.add_argument("files", nargs="*", metavar="FILE", help="the files that pre-commit names, or what git says to a hook")
    hook.add_argument("--stage", choices=("pre-commit", "pre-merge-commit", "pre-push", "commit-msg"), default="pre-commit",
                      help="which hook of git this is (default: pre-commit)")  # fmt: skip
    hook.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    hook.add_argument("--baseline", metavar="FILE", help=_BASELINE_HELP)
    hook.add_argument("--no-baseline", action="store_true", help="report what the baseline accepts, too")


def _add_ci(commands: argparse._SubParsersAction[_Parser]) -> None:
    ci = _add(commands, "ci", "scan what a CI job is about", _CI_EXAMPLES)
    ci.add_argument("path", nargs="?", default=".", metavar="PATH", help="the repository (default: here)")
    ci.add_argument("--mode", choices=("auto", "range", "full"), default="auto",
                    help="the job's own commits, or files and whole history (default: auto, by the event)")  # fmt: skip
    ci.add_argument("--base", metavar="REF", help="compare HEAD with this, whatever the job says")
    ci.add_argument("--deepen", action="store_true",
                    help="let git fetch from origin what a shallow clone lacks (default: fail and say so)")  # fmt: skip
    ci.add_argument("--fail-on", choices=LEVELS, metavar="SEVERITY",
                    help="the least severity that makes the exit code 1: low, medium, high or critical")  # fmt: skip
    ci.add_argument("--jobs", type=_jobs, default=os.cpu_count() or 1, metavar="N",
                    help="processes to use (default: one a processor)")  # fmt: skip
    ci.add_argument("--rule", action="append", default=[], metavar="ID", help="use only this rule (repeatable)")
    ci.add_argument("--exclude-rule", action="append", default=[], metavar="ID", help="do without this rule (repeatable)")
    ci.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    ci.add_argument("--baseline", metavar="FILE", help=_BASELINE_HELP)
    ci.add_argument("--baseline-ref", metavar="REF", help="read the baseline as it is in this commit, not in the files")
    ci.add_argument("--no-baseline", action="store_true", help="report what the baseline accepts, too")
    ci.add_argument("--sarif-file", metavar="FILE", help="write SARIF here, for an upload")
    ci.add_argument("-f", "--format", dest="outputs", action=_Output, choices=FORMATS,
                    help="a further format (default: github on GitHub, else text; repeatable)")  # fmt: skip
    ci.add_argument("-o", "--output", dest="outputs", action=_Output, metavar="FILE",
                    help="where to write the format named before it (default: standard output)")  # fmt: skip


def _add_rules(commands: argparse._SubParsersAction[_Parser]) -> None:
    rules = _add(commands, "rules", "list, show and check rules", _RULES_EXAMPLES)
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


def _add_config(commands: argparse._SubParsersAction[_Parser]) -> None:
    settings = _add(commands, "config", "show what is configured, and its schema", _CONFIG_EXAMPLES)
    actions = settings.add_subparsers(dest="action", metavar="ACTION", required=True, prog="keyleash config")
    show = actions.add_parser("show", help="show what is in force and where it is said")
    show.add_argument("path", nargs="?", default=".", metavar="PATH", help="a folder or a repository (default: here)")
    show.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    actions.add_parser("schema", help="show the JSON Schema of a configuration")


def _add_baseline(commands: argparse._SubParsersAction[_Parser]) -> None:
    top = _add(commands, "baseline", "accept what was looked at: make, update, audit, prune and import", _BASELINE_EXAMPLES)
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
        action.add_argument("--baseline", metavar="FILE", help=_BASELINE_HELP)
        action.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
        if name != "prune":
            action.add_argument("--reason", default="" if name == "import" else "not stated", help="why it is accepted")
            action.add_argument("--owner", metavar="NAME", help="who answers for it (default: git's user.email)")
            action.add_argument("--expires", metavar="DAY", help="the last day it is accepted: 2027-01-31, or 90d from now")


def _add_install(commands: argparse._SubParsersAction[_Parser]) -> None:
    install = _add(commands, "install", "write the hooks of git into a clone, for those without pre-commit", _INSTALL_EXAMPLES)
    install.add_argument("path", nargs="?", default=".", metavar="PATH", help="the clone (default: the one around here)")
    install.add_argument("--stage", action="append", dest="stages", choices=("pre-commit", "commit-msg", "pre-push"),
                         help="only this hook (repeatable; default: all three)")  # fmt: skip
    install.add_argument("--shared", action="store_true", help="also where core.hooksPath is one folder for all repositories")


def _add_uninstall(commands: argparse._SubParsersAction[_Parser]) -> None:
    uninstall = _add(commands, "uninstall", "take the hooks out again, and put back what was there before", "")
    uninstall.add_argument("path", nargs="?", default=".", metavar="PATH", help="the clone (default: the one around here)")


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    epilog = "exit codes: 0 commits are guarded, 1 they are not, 2 wrong use\n"
    doctor = _add(commands, "doctor", "say whether a clone is really protected, and why not", epilog)
    doctor.add_argument("path", nargs="?", default=".", metavar="PATH", help="the clone (default: the one around here)")


def _add_version(commands: argparse._SubParsersAction[_Parser]) -> None:
    commands.add_parser("version", help="show the version, the engine, the number of rules and their digest")


COMMANDS = {
    "scan": _add_scan,
    "audit": _add_audit,
    "hook": _add_hook,
    "install": _add_install,
    "uninstall": _add_uninstall,
    "doctor": _add_doctor,
    "ci": _add_ci,
    "rules": _add_rules,
    "config": _add_config,
    "baseline": _add_baseline,
    "version": _add_version,
}


def run(arguments: Sequence[str]) -> int:
    """Parse the arguments, carry out the command and return its exit code."""
    options = parser(arguments[0] if arguments else None).parse_args(arguments)
    # A command is imported when it is called: a hook must not wait for what only a scan needs.
    if options.command == "scan":
        from scanner.commands import scan

        return scan.run(options)
    if options.command == "audit":
        from scanner.commands import audit

        return audit.run(options)
    if options.command == "hook":
        from scanner.commands import hook

        return hook.run(options)
    if options.command in ("install", "uninstall"):
        from scanner.commands import install

        return install.run(options)
    if options.command == "doctor":
        from scanner.commands import doctor

        return doctor.run(options)
    if options.command == "baseline":
        from scanner.commands import baseline

        return baseline.run(options)
    if options.command == "config":
        from scanner.commands import config

        return config.run(options)
    if options.command == "ci":
        from scanner.commands import ci

        return ci.run(options)
    from scanner.commands import rules

    return rules.version() if options.command == "version" else rules.run(options)


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
