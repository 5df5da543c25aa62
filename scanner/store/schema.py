"""The tables of a store, and how an older store becomes one of today.

Each table says in its first line what a row is; SQLite keeps these lines with the table.
Ids of objects and digests are bytes, times are ISO 8601 in UTC, lists are JSON. A table is
changed by a further migration and never in its first form.
"""

from __future__ import annotations

_FIRST = (
    """CREATE TABLE fact ( -- A row is something that the store knows of itself, as the key of its fingerprints.
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE ruleset ( -- A row is a set of rules: what was looked at under one says nothing of another.
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        used TEXT NOT NULL
    )""",
    """CREATE TABLE repository ( -- A row is a repository that was scanned, or could not be.
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE, -- its URL without credentials, or its folder
        state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'complete', 'incomplete', 'failed', 'gone')),
        reason TEXT, -- why it failed or is gone, for people
        facts TEXT NOT NULL DEFAULT '{}', -- what its host says of it: archived, fork_of, visibility, url, ...
        scanned TEXT, -- when the last scan ended
        ruleset TEXT, -- the digest of the rules of that scan
        blobs INTEGER NOT NULL DEFAULT 0, -- what that scan and those before it read in all
        bytes INTEGER NOT NULL DEFAULT 0,
        commits INTEGER NOT NULL DEFAULT 0,
        refs INTEGER NOT NULL DEFAULT 0 -- how many there are
    )""",
    """CREATE TABLE graph ( -- A row is a repository's commit graph as it was when its findings were last placed.
        repository INTEGER PRIMARY KEY REFERENCES repository ON DELETE CASCADE,
        tips BLOB NOT NULL, -- sorted ids of what refs and HEADs name, joined
        reflog BLOB NOT NULL, -- a digest
        missing BLOB NOT NULL, -- sorted ids of what a partial clone has left with its remote, joined
        head TEXT NOT NULL
    )""",
    """CREATE TABLE names ( -- A row says at which graph of a repository the names of its files were looked at.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        mark BLOB NOT NULL, -- a digest of its tips
        PRIMARY KEY (repository, ruleset)
    ) WITHOUT ROWID""",
    """CREATE TABLE named ( -- A row is a match in the name of a file.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        path TEXT NOT NULL,
        match TEXT NOT NULL, -- all of it, as JSON
        PRIMARY KEY (repository, ruleset, path, match)
    ) WITHOUT ROWID""",
    """CREATE TABLE pack ( -- A row is a pack all objects of which were looked at, but for those in `pending`.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        checksum BLOB NOT NULL,
        objects INTEGER NOT NULL,
        PRIMARY KEY (repository, ruleset, checksum)
    ) WITHOUT ROWID""",
    """CREATE TABLE seen ( -- A row is many objects that were looked at: those of a task, later those of many scans.
        id INTEGER PRIMARY KEY,
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        width INTEGER NOT NULL, -- bytes of an id
        ids BLOB NOT NULL, -- sorted and joined
        hot BLOB NOT NULL -- those of them that hold a match
    )""",
    "CREATE INDEX seen_by_repository ON seen (repository, ruleset)",
    """CREATE TABLE sample ( -- A row is an id of `seen` that begins with a zero byte: it tells which rows share objects.
        ruleset INTEGER NOT NULL,
        object BLOB NOT NULL,
        seen INTEGER NOT NULL REFERENCES seen ON DELETE CASCADE,
        PRIMARY KEY (ruleset, object, seen)
    ) WITHOUT ROWID""",
    "CREATE INDEX sample_by_seen ON sample (seen)",
    """CREATE TABLE pending ( -- A row is an object that could not, or not wholly, be looked at: the next scan tries it again.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        object BLOB NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (repository, ruleset, object)
    ) WITHOUT ROWID""",
    """CREATE TABLE sighting ( -- A row is a match in an object, whichever repositories have that object.
        id INTEGER PRIMARY KEY,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        object BLOB NOT NULL,
        via TEXT NOT NULL,
        rule TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        redacted TEXT NOT NULL,
        evidence TEXT NOT NULL,
        confidence TEXT NOT NULL,
        severity TEXT NOT NULL,
        line INTEGER NOT NULL,
        column INTEGER NOT NULL,
        end_line INTEGER NOT NULL,
        end_column INTEGER NOT NULL,
        way TEXT NOT NULL,
        UNIQUE (ruleset, object, fingerprint, line, column, end_line, end_column, way, evidence)
    )""",
    """CREATE TABLE place ( -- A row is an object with a match, or a pending one, that a repository has, and where it stands.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        object BLOB NOT NULL,
        led TEXT, -- what leads there: ref, reflog, none; NULL before it was asked
        via TEXT,
        path TEXT,
        commit_id TEXT,
        author TEXT,
        date TEXT,
        fate TEXT, -- JSON: the branches that have it there, the commit that took it away, all its paths at HEAD
        PRIMARY KEY (repository, object)
    ) WITHOUT ROWID""",
    """CREATE TABLE finding ( -- A row is a credential, in however many repositories: one rule and one secret.
        fingerprint TEXT PRIMARY KEY,
        rule TEXT NOT NULL,
        found TEXT NOT NULL -- when a scan first met it
    ) WITHOUT ROWID""",
    """CREATE TABLE occurrence ( -- A row is a finding in a repository, as its last scan reported it.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        fingerprint TEXT NOT NULL REFERENCES finding,
        severity TEXT NOT NULL,
        confidence TEXT NOT NULL,
        redacted TEXT NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (fingerprint, repository)
    ) WITHOUT ROWID""",
    "CREATE INDEX occurrence_by_repository ON occurrence (repository)",
    """CREATE TABLE location ( -- A row is a place of a finding in a repository, as its last scan reported it.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        fingerprint TEXT NOT NULL REFERENCES finding,
        number INTEGER NOT NULL, -- in the order of the report
        path TEXT,
        line INTEGER NOT NULL,
        column INTEGER NOT NULL,
        end_line INTEGER NOT NULL,
        end_column INTEGER NOT NULL,
        object TEXT,
        commit_id TEXT,
        author TEXT,
        date TEXT, -- of the commit, with its own zone
        via TEXT NOT NULL,
        fate TEXT NOT NULL, -- as in `place`
        way TEXT NOT NULL,
        PRIMARY KEY (fingerprint, repository, number)
    ) WITHOUT ROWID""",
    "CREATE INDEX location_by_repository ON location (repository)",
    """CREATE TABLE skipped ( -- A row is what the last scan of a repository did not, or not wholly, look at.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        what TEXT NOT NULL,
        reason TEXT NOT NULL
    )""",
    "CREATE INDEX skipped_by_repository ON skipped (repository)",
    """CREATE TABLE triage ( -- A row is a decision on a finding; the latest counts, the others are its history.
        id INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL REFERENCES finding,
        state TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'false-positive', 'revoked')),
        reason TEXT NOT NULL,
        who TEXT NOT NULL,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX triage_by_finding ON triage (fingerprint, id)",
)

_ADVERTISED = (
    """CREATE TABLE advertised ( -- A row is what a server told of a repository's refs, when all of it was looked at.
        repository INTEGER NOT NULL REFERENCES repository ON DELETE CASCADE,
        ruleset INTEGER NOT NULL REFERENCES ruleset ON DELETE CASCADE,
        digest BLOB NOT NULL,
        PRIMARY KEY (repository, ruleset)
    ) WITHOUT ROWID""",
)

# JSON: which commits the branches named. SQLite takes no remark behind an added column.
_BRANCHES = ("ALTER TABLE graph ADD COLUMN branches TEXT NOT NULL DEFAULT '{}'",)

MIGRATIONS = (_FIRST, _ADVERTISED, _BRANCHES)
"""The n-th leads from version n to n + 1, which `PRAGMA user_version` tells."""
