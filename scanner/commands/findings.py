"""`keyleash findings`: list, show and triage what a store knows."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import re
from functools import partial

from scanner import gitcommand
from scanner.commands.stored import emit, folder, named, narrowed, rules_of, store_of
from scanner.errors import UsageError
from scanner.overview import Overview, first_place, from_store, opened, since, urgent_first
from scanner.overview.exports import reports, write_csv, write_json, write_sarif
from scanner.sinks.escape import visible
from scanner.sinks.words import commit, count, fate, place
from scanner.store.results import Known
from scanner.store.triage import decide

PLACES = 20


def run(options: argparse.Namespace) -> int:
    """Carry out `findings list`, `findings show` or `findings set`."""
    if options.action == "set":
        return _set(options)
    rules = rules_of(options)
    overview = from_store(store_of(options), {rule.id: rule for rule in rules.rules})
    if options.action == "show":
        _show(overview, named(overview, options.id))
        return 0
    overview = narrowed(overview, options)
    if options.format == "sarif":
        _sarif(overview, options.output)
    elif options.format == "text":
        emit(options.output, lambda out: print(_listing(overview), file=out))
    else:
        write = write_json if options.format == "json" else write_csv
        emit(options.output, partial(write, overview))
    return 0


def _listing(overview: Overview) -> str:
    lines = []
    for known in urgent_first(overview.findings):
        first, began = first_place(known), since(known)
        names = [visible(one.repository) for one in known.occurrences]
        where = f"{names[0]}: {place(first)}" if first else "nowhere any more"
        more = f" and {count(len(names) - 1, 'more repository', 'more repositories')}" if len(names) > 1 else ""
        day = began.date().isoformat() if began else "no date   "
        name = f"{overview.rule(known.rule).name} {visible(known.redacted)}".rstrip()
        lines.append(f"{known.fingerprint[:12]}  {known.severity:<8}  {known.state:<14}  {day}  {name}  {where}{more}")
    total = count(len(overview.findings), "credential")
    lines.append(f"{total} in {count(len(overview.repositories), 'repository', 'repositories')}.")
    lines += [f"Not wholly scanned: {visible(one.name)} ({_why(one.state, one.reason)})" for one in overview.incomplete]
    return "\n".join(lines)


def _why(state: str, reason: str | None) -> str:
    return f"{state}: {visible(reason)}" if reason else state


def _show(overview: Overview, known: Known) -> None:
    rule, began = overview.rule(known.rule), since(known)
    print(f"{rule.name} {visible(known.redacted)}  [{known.severity}, {known.confidence} confidence, {visible(rule.id)}]")
    print(f"fingerprint  {known.fingerprint}\nstate        {known.state}")
    print(f"since        {began.date().isoformat() if began else 'no commit tells'}; first found {known.found}")
    for said in known.evidence:
        print(f"because      {visible(said)}")
    for here in known.occurrences:
        print(f"\n{visible(here.repository)}: {count(len(here.locations), 'place')}")
        for where in here.locations[:PLACES]:
            said = "  ".join(part for part in (place(where), commit(where), fate(where)) if part)
            print(f"  {said}")
        if len(here.locations) > PLACES:
            print(f"  and {count(len(here.locations) - PLACES, 'more place')}")
    if not known.occurrences:
        print("\nNo repository holds it any more.")
    if known.decisions:
        print("\nDecisions")
    for one in known.decisions:
        print(f"  {one.at}  {one.state}  {visible(one.who)}: {visible(one.reason)}")
    print(f"\nWhat to do: {rule.fix}\nkeyleash remedy {known.fingerprint[:12]} has the commands.")


def _set(options: argparse.Namespace) -> int:
    """Decide on all that is named, or on none: a misspelt fingerprint must not leave the work half done."""
    reason = options.reason.strip()
    if not reason:
        raise UsageError("--reason: say why; whoever reads it next year will ask")
    who = options.who.strip() if options.who is not None else _myself()
    if not who:
        raise UsageError("--who: say who decides")
    file = store_of(options)
    overview = from_store(file, {})
    wanted = list(dict.fromkeys(named(overview, id) for id in options.ids))
    with opened(file) as store, store.writing():
        for known in wanted:
            decide(store, known.fingerprint, options.state, reason, who)
    for known in wanted:
        said = f"{known.state} -> {options.state}  {visible(who)}: {visible(reason)}"
        print(f"{known.fingerprint[:12]}  {visible(known.rule)}  {said}")
    return 0


def _myself() -> str:
    repository = gitcommand.find(".")
    email = repository.attempt("config", "user.email").stdout.decode("utf-8", "replace").strip() if repository else ""
    return email or getpass.getuser()


def _sarif(overview: Overview, output: str | None) -> None:
    """Write one log a repository, for viewers take one repository at a time; several go into a folder."""
    parts = reports(overview)
    if len(parts) == 1 and not (output and os.path.isdir(output)):
        emit(output, partial(write_sarif, next(iter(parts.values()))))
        return
    if output is None:
        raise UsageError(
            f"SARIF is written a repository, and here are {len(parts)}: name one with --repository, or a folder with --output"
        )
    folder(output)
    for name, report in parts.items():
        emit(os.path.join(output, _file_name(name)), partial(write_sarif, report))
    print(f"{visible(output)}: {count(len(parts), 'file')}")


def _file_name(name: str) -> str:
    """Return a file's name for a repository's, that no other repository has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-80:]
    return f"{plain}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}.sarif"
