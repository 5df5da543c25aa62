"""`keyleash baseline import`: what another scanner's files ignore, as far as it is found here too."""

from __future__ import annotations

import os

from scanner.baseline import Entry, imports
from scanner.commands.baseline import Place, incomplete, tell_accepted
from scanner.gitcommand import Repository
from scanner.model import Finding
from scanner.sinks.escape import visible
from scanner.sinks.words import count


def run(here: Place) -> int:
    """Accept what the named files ignore, and say of each entry that could not be matched why."""
    foreign = [(file, entry) for file in here.options.files for entry in imports.read(file)]
    here.expires()
    key, entries = here.kept()
    report = here.scan(key, secrets=True)
    matched = imports.match([entry for _, entry in foreign], report.findings, _blob_of(here.repository))
    fresh: dict[str, Finding] = {}
    for (file, _), result in zip(foreign, matched, strict=True):
        for finding in result.findings:
            if finding.fingerprint not in entries:
                entries[finding.fingerprint] = _entry(here, finding, result.foreign, file)
                fresh[finding.fingerprint] = finding._replace(secret=None)
    here.write(key, entries.values())
    tell_accepted(list(fresh.values()), here.options.reason or "imported")
    missed = [result for result in matched if not result.findings]
    for result in missed:
        print(f"Not imported: {visible(result.foreign.name)}: {result.reason}")
    read = count(len(foreign), "entry", "entries")
    print(f"{here.name}: {read} read, {len(missed)} of them not imported; {count(len(fresh), 'credential')} newly accepted.")
    return incomplete(report)


def _entry(here: Place, finding: Finding, foreign: imports.Foreign, file: str) -> Entry:
    judged = "audited as no secret, " if foreign.judged else ""
    return here.entry(finding, here.options.reason or f"{judged}imported from {os.path.basename(file)}")


def _blob_of(repository: Repository) -> imports.BlobOf:
    known: dict[tuple[str, str], str | None] = {}

    def blob_of(commit: str, path: str) -> str | None:
        if (commit, path) not in known:
            ids = repository.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}")
            fits = ids.returncode == 0 and commit.isalnum()
            known[commit, path] = ids.stdout.decode().strip() if fits else None
        return known[commit, path]

    return blob_of
