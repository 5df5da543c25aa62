"""`keyleash remedy`: what to do about one credential, and what git-filter-repo needs to take it out of a history."""

from __future__ import annotations

import argparse
import os
import shlex

from scanner import gitcommand
from scanner.clones import mirror_of
from scanner.commands.stored import named, rules_of, store_of, usual_clones
from scanner.errors import UsageError
from scanner.gitcommand import Repository
from scanner.group import DEFAULT_KEY
from scanner.model import Location, RuleSet
from scanner.overview import Overview, from_store, opened
from scanner.overview.reports import from_reports
from scanner.remedy import afterwards, steps
from scanner.remedy.aws import short_ids
from scanner.remedy.rewrite import KEY_ID, Plan, plan, write
from scanner.remedy.step import Step
from scanner.rules import ruleset_of
from scanner.sinks.escape import visible
from scanner.sinks.words import count
from scanner.store.results import Known


def run(options: argparse.Namespace) -> int:
    """Show the steps; with --replacements also write the file."""
    if options.store and options.report:
        raise UsageError("name a store with --store FILE, or a report of 'keyleash scan --format json' with --report")
    rules = rules_of(options)
    known_rules = {rule.id: rule for rule in rules.rules}
    overview = from_reports([options.report], known_rules) if options.report else from_store(store_of(options), known_rules)
    known = named(overview, options.id)
    repository = _repository(options, known)
    read = _read(options, repository, known, rules) if repository else None
    rule = overview.rule(known.rule)
    print(f"{rule.name} {visible(known.redacted)}  [{known.severity}, {known.state}]  {known.fingerprint}\n")
    print("Rotation comes first: a secret that was pushed is known to others, whatever becomes of the history.\n")
    todo = steps(known, rule, read.key_ids if read else ())
    todo += _rewriting(options, overview, known, repository, read)
    for number, step in enumerate([*todo, afterwards(known)], 1):
        _print(number, step)
    return 0


def _print(number: int, step: Step) -> None:
    print(f"{number}. {step.title}")
    for line in step.text.split("\n"):
        print(f"   {visible(line)}")
    for command in step.commands:
        print(f"       {visible(command)}")
    print()


def _repository(options: argparse.Namespace, known: Known) -> Repository | None:
    """Return the repository to read from: the one that is named, or the first that is a folder here, or an audit's clone."""
    if options.repository:
        found = gitcommand.find(options.repository) if os.path.isdir(options.repository) else None
        if found is None:
            raise UsageError(f"--repository {options.repository}: is no git repository")
        return found
    folders = [one.repository for one in known.occurrences if os.path.isabs(one.repository) and os.path.isdir(one.repository)]
    clones = options.cache or usual_clones()
    folders += [mirror_of(clones, one.repository) for one in known.occurrences if not os.path.isabs(one.repository)]
    found = next((found for path in folders if os.path.isdir(path) and (found := gitcommand.find(path))), None)
    if found is None and options.replacements:
        raise UsageError("--replacements: none of its repositories is a folder or an audit's clone here; name a --repository")
    return found


def _read(options: argparse.Namespace, repository: Repository, known: Known, rules: RuleSet) -> Plan | None:
    """Look at the finding's objects again; None when its rule is not in use, so that it cannot be found."""
    wanted = [rule for rule in rules.rules if rule.id in (known.rule, KEY_ID)]
    if known.rule not in {rule.id for rule in wanted}:
        if options.replacements:
            raise UsageError(f"--replacements: its rule '{visible(known.rule)}' is not in use here; name its --config")
        return None
    key = DEFAULT_KEY
    if not options.report:
        with opened(store_of(options)) as store:
            key = store.key
    chosen = ruleset_of(wanted, rules.policy)
    read = plan(repository, known.fingerprint, _places(known, repository), chosen, key, set(short_ids(known)))
    if options.replacements and not (read.expressions or read.strip):
        raise UsageError(f"--replacements: no object of {repository.name} holds it; name another --repository, or scan again")
    return read


def _places(known: Known, repository: Repository) -> list[Location]:
    """Return the finding's places there, or everywhere where the folder is a clone of another name."""
    here = [one for one in known.occurrences if one.repository == repository.name]
    return [where for one in here or known.occurrences for where in one.locations]


def _rewriting(
    options: argparse.Namespace, overview: Overview, known: Known, repository: Repository | None, read: Plan | None
) -> list[Step]:
    others = [visible(one.repository) for one in known.occurrences]
    if not others:
        return []
    where = f"It is in the history of {', '.join(others[:10])}" + (f" and {len(others) - 10} more" if len(others) > 10 else "")
    when = f" as of the last scan, {overview.scanned}" if overview.scanned else ""
    if not (options.replacements and repository and read):
        again = f"keyleash remedy {known.fingerprint[:12]}" + _source(options)
        command = f"{again} --repository CLONE --replacements ~/replacements.txt"
        return [Step("Take it out of the history", f"{where}{when}. This writes what git filter-repo needs:", (command,))]
    strip = write(options.replacements, read, repository)
    return [_filter_step(options, repository, read, strip, f"{where}{when}"), _clean_step(options, strip)]


def _filter_step(options: argparse.Namespace, repository: Repository, read: Plan, strip: str | None, where: str) -> Step:
    file = shlex.quote(os.path.abspath(options.replacements))
    arguments = f"--replace-text {file} --replace-message {file}"
    said = [
        f"{where}. In a fresh clone; every commit after it gets a new id, so agree on a day with all who work on it.",
        f"{options.replacements} holds the secret in {count(len(read.expressions), 'spelling')}.",
    ]
    if strip:
        arguments += f" --strip-blobs-with-ids {shlex.quote(os.path.abspath(strip))}"
        holders = count(len(read.strip), "version of a file is", "versions of files are")
        said.append(f"{holders} binary, encoded or an archive, where no text can be replaced: these are removed as a whole.")
    said += [f"Not done by this: {one}" for one in read.left]
    return Step("Take it out of the history", "\n".join(said), (
        f"git clone --mirror --no-local {shlex.quote(repository.name)} cleaned.git   # better: the URL it is pushed to",
        f"git -C cleaned.git filter-repo {arguments}",
        "keyleash scan cleaned.git",
        "git -C cleaned.git push --mirror --force URL",
    ))  # fmt: skip


def _clean_step(options: argparse.Namespace, strip: str | None) -> Step:
    names = " ".join(shlex.quote(os.path.abspath(name)) for name in (options.replacements, strip) if name)
    said = (
        "It holds the secret in plain text. Then ask the host to drop what it still shows of the old commits (pull requests, "
        "caches; forks keep theirs), and have everyone clone anew."
    )
    return Step("Delete the file", said, (f"shred -u {names}",))


def _source(options: argparse.Namespace) -> str:
    said = [f"--{name} {shlex.quote(file)}" for name in ("store", "report") if (file := getattr(options, name))]
    return "".join(f" {one}" for one in said)
