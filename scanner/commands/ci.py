"""`keyleash ci`: what to scan is told by the job's environment, and the result in the words of its service.

Secrets are never shown here: logs, summaries and artifacts of a job are read by more
people than its repository.
"""

from __future__ import annotations

import argparse
import os
import sys

from scanner import baseline, config, gitcommand
from scanner.ci import job_of
from scanner.ci.job import CHANGE, Job
from scanner.ci.plan import Plan, against, plan
from scanner.commands.scan import Outputs, check_writable, exit_code, pair_outputs, write_all
from scanner.errors import ScanError, UsageError
from scanner.gitcommand import Repository
from scanner.model import Coverage, Report, RuleSet, Source
from scanner.pipeline import judge, scan, sight
from scanner.rules import load_builtin, select
from scanner.sinks.escape import visible


def run(options: argparse.Namespace) -> int:
    """Carry out the command and return the exit code; on GitHub a failure is an annotation too."""
    try:
        return _run(options)
    except ScanError as problem:
        if os.environ.get("GITHUB_ACTIONS"):
            from scanner.sinks.github import failure

            print(failure(str(problem)), flush=True)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary and not str(problem).startswith("GITHUB_STEP_SUMMARY"):
            from scanner.sinks import markdown

            _append("GITHUB_STEP_SUMMARY", summary, markdown.failure(str(problem)))
        raise


def _run(options: argparse.Namespace) -> int:
    outputs = _outputs(options)
    check_writable(outputs)
    if not os.path.isdir(options.path):
        raise UsageError(f"{options.path}: there is no such folder")
    repository = gitcommand.find(options.path)
    if repository is None:
        raise UsageError(f"{options.path}: is not a git repository; check it out before")
    job = _job(options, repository)
    chosen = plan(job, repository, mode=options.mode, fetch=options.deepen)
    print(visible(f"keyleash: {chosen.why}"), file=sys.stderr, flush=True)  # standard output may be for a program
    settings = config.load(options.config, repository.work_tree)
    rules = select(settings.rules(load_builtin()), options.rule, options.exclude_rule)
    accepting = baseline.chosen(
        repository.work_tree, settings.baseline, file=options.baseline, ref=options.baseline_ref, off=options.no_baseline
    )
    report = scan(_sources(chosen, repository, rules, options.jobs), rules, key=accepting.key, excluded=settings.excluded())
    whole = chosen.full and not (options.rule or options.exclude_rule)
    builtin = load_builtin()
    report = accepting.applied(report, known=settings.known(builtin), whole=whole)
    said = settings.says(builtin)
    notes = [said] if said else []
    if not (chosen.full or chosen.known or chosen.tags):
        notes.append(chosen.why)
    report = report._replace(
        fail_on=options.fail_on or settings.threshold("ci"), coverage=report.coverage.plus(Coverage(notes=tuple(notes)))
    )
    write_all(report, outputs, quiet=False)
    _tell(report, chosen, options.sarif_file or "")
    return exit_code(report)


def _job(options: argparse.Namespace, repository: Repository) -> Job:
    """Return the job of the environment, or what `--base` makes of it."""
    if options.base is None:
        try:
            return job_of(os.environ)
        except UsageError:
            # An unknown service knows nothing that a whole scan needs.
            if options.mode == "full" and os.environ.get("CI"):
                return Job("an unknown service", "a build", CHANGE)
            raise
    if options.mode == "full":
        raise UsageError("--base names what is known already, and --mode full scans all; give one")
    if options.base.startswith("-") or not options.base:
        raise UsageError(f"--base {options.base}: is not the name of a commit or branch")
    return against(repository, options.base)


def _sources(chosen: Plan, repository: Repository, rules: RuleSet, jobs: int) -> list[Source]:
    from scanner.sources.fasthistory import FastHistory
    from scanner.sources.staged import Range
    from scanner.sources.tags import Tags
    from scanner.sources.tree import WorkTree

    if chosen.full:
        files: list[Source] = [WorkTree(repository, None, judge(rules), jobs)] if repository.work_tree else []
        return [*files, FastHistory(repository, sight(rules), jobs)]
    sources: list[Source] = [Tags(repository, chosen.tags)] if chosen.tags else []
    if chosen.known:
        old, *others = chosen.known
        sources.append(Range(repository, old, chosen.new, tuple(others)))
    return sources


def _outputs(options: argparse.Namespace) -> Outputs:
    """Return the formats that were asked for; what nobody sent to a file, the service's own is for."""
    outputs = pair_outputs(options.outputs or []) if options.outputs else []
    if all(file is not None for _, file in outputs):
        outputs = [("github" if os.environ.get("GITHUB_ACTIONS") else "text", None), *outputs]
    if options.sarif_file is not None:
        if not options.sarif_file or not options.sarif_file.isprintable():
            raise UsageError("--sarif-file: is not the name of a file")
        outputs.append(("sarif", options.sarif_file))
    return outputs


def _tell(report: Report, chosen: Plan, sarif_file: str) -> None:
    """Give GitHub its summary and its outputs."""
    summary, output = os.environ.get("GITHUB_STEP_SUMMARY"), os.environ.get("GITHUB_OUTPUT")
    if summary:
        from scanner.sinks import markdown

        _append("GITHUB_STEP_SUMMARY", summary, markdown.text(report, chosen.why))
    if output:
        values = {"findings": len(report.findings), "blocking": len(report.blocking), "skipped": len(report.skipped),
                  "sarif-file": sarif_file}  # fmt: skip
        _append("GITHUB_OUTPUT", output, "".join(f"{name}={value}\n" for name, value in values.items()))


def _append(variable: str, file: str, text: str) -> None:
    try:
        with open(file, "a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
    except OSError as problem:
        raise UsageError(f"{variable}: {file}: cannot be written: {problem.strerror}") from None
    finally:
        sys.stdout.flush()
