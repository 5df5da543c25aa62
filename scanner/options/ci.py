"""The options of `keyleash ci`."""

from __future__ import annotations

from scanner.options import Commands, add_decisions, add_jobs, add_outputs, add_rule_choice, add_threshold, command

EXAMPLES = """\
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


def add_ci(commands: Commands) -> None:
    ci = command(commands, "ci", "scan what a CI job is about", EXAMPLES)
    ci.add_argument("path", nargs="?", default=".", metavar="PATH", help="the repository (default: here)")
    ci.add_argument("--mode", choices=("auto", "range", "full"), default="auto",
                    help="the job's own commits, or files and whole history (default: auto, by the event)")  # fmt: skip
    ci.add_argument("--base", metavar="REF", help="compare HEAD with this, whatever the job says")
    ci.add_argument("--deepen", action="store_true",
                    help="let git fetch from origin what a shallow clone lacks (default: fail and say so)")  # fmt: skip
    add_threshold(ci)
    add_jobs(ci)
    add_rule_choice(ci)
    add_decisions(ci)
    ci.add_argument("--sarif-file", metavar="FILE", help="write SARIF here, for an upload")
    add_outputs(ci, "a further format (default: github on GitHub, else text; repeatable)")
