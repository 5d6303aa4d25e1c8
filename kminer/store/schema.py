"""The tables, as migrations: each runs once, in its own transaction, in this order."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from kminer.store.gapschema import TABLES, VIEWS

migrations = Migrations("kminer")


@migrations()
def m001_sources_and_changes(db: Database) -> None:
    """Sources, their references and releases, and the changes with what they point at."""
    _run(
        db,
        """
        CREATE TABLE sources (               -- places that changes come from
            id TEXT PRIMARY KEY,             -- name of the source, as in data/sources/
            kind TEXT NOT NULL,              -- git, or demo for the history kminer writes itself
            project TEXT NOT NULL,           -- what it is a history of: linux, docker, runc, ...
            title TEXT NOT NULL,             -- its name for people
            demo INTEGER NOT NULL CHECK (demo IN (0, 1)), -- 1 for made-up data
            commit_url TEXT NOT NULL,        -- address of a commit, with {id}
            issue_url TEXT NOT NULL,         -- address of an issue, with {number}
            location TEXT,                   -- the clone it was read from
            definition TEXT,                 -- fingerprint of the source's file when it was last read
            since TEXT,                      -- tag or day before which nothing was read; NULL: all was read
            shallow INTEGER NOT NULL DEFAULT 0, -- 1 if the clone was shallow, so that older history is unseen
            commits INTEGER NOT NULL DEFAULT 0, -- commits read so far
            newest TEXT,                     -- date of the newest change, UTC
            synced_at TEXT                   -- when the last sync ended, UTC; NULL: never
        ) STRICT
        """,
        """
        CREATE TABLE source_refs (           -- heads and tags that were read: the cursor of each source
            source TEXT NOT NULL REFERENCES sources(id), -- the source
            name TEXT NOT NULL,              -- full name: refs/heads/..., refs/tags/...
            object_id TEXT NOT NULL,         -- what it points at, a tag object perhaps
            commit_id TEXT,                  -- the commit that is; NULL for a tag on a tree or blob
            PRIMARY KEY (source, name)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE tracked_paths (         -- what a source's file says of each path it tracks
            source TEXT NOT NULL REFERENCES sources(id), -- the source
            path TEXT NOT NULL,              -- file, folder (ends in /) or glob, by its present name
            mechanism TEXT NOT NULL,         -- a mechanism it belongs to, one row each
            about TEXT NOT NULL,             -- what it is
            PRIMARY KEY (source, path, mechanism)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE releases (              -- named versions, from tags only
            source TEXT NOT NULL REFERENCES sources(id), -- the source
            tag TEXT NOT NULL,               -- the tag's name
            version TEXT NOT NULL,           -- the version in it, e.g. 2.6.30-rc1
            kind TEXT NOT NULL CHECK (kind IN ('final', 'rc')), -- rc: candidates, betas, previews
            series TEXT NOT NULL,            -- release line, e.g. 2.6.30, 6.1, 20.10
            position INTEGER NOT NULL,       -- rank among the source's releases, oldest version 0
            date TEXT,                       -- committer's date of the tagged commit, UTC
            commit_id TEXT NOT NULL,         -- the tagged commit
            previous TEXT,                   -- tag of the highest release that this one contains
            PRIMARY KEY (source, tag)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE changes (               -- what the sources brought: commits, merges, pull summaries
            id INTEGER PRIMARY KEY,          -- number within this database
            source TEXT NOT NULL REFERENCES sources(id), -- the source
            type TEXT NOT NULL,              -- commit, merge, or pull: a merge with a maintainer's summary
            key TEXT NOT NULL,               -- the source's own id: the full commit id
            date TEXT,                       -- committer's date, UTC; NULL outside the years 1 to 9999
            title TEXT NOT NULL,             -- first paragraph on one line
            text TEXT NOT NULL,              -- whole message as written
            encoding TEXT NOT NULL,          -- how its bytes were read; encoding text so gives them back
            author TEXT NOT NULL,            -- author's name
            author_email TEXT NOT NULL,      -- author's address
            author_date TEXT NOT NULL,       -- ISO 8601 with offset, or @seconds offset where no calendar has it
            committer TEXT NOT NULL,         -- committer's name
            committer_email TEXT NOT NULL,   -- committer's address
            committer_date TEXT NOT NULL,    -- as author_date
            matched_by TEXT NOT NULL,        -- why it is a candidate: path, words, or both
            first_rc TEXT,                   -- earliest candidate by version that contains it
            first_final TEXT,                -- earliest final release by version that contains it
            reachable INTEGER NOT NULL DEFAULT 1 CHECK (reachable IN (0, 1)), -- 0: no head or tag leads to it now
            definition TEXT NOT NULL,        -- fingerprint of the source's file that matched it
            UNIQUE (source, key)
        ) STRICT
        """,
        "CREATE INDEX changes_key ON changes (key)",
        "CREATE INDEX changes_first_final ON changes (source, first_final)",
        "CREATE INDEX changes_date ON changes (source, date)",
        """
        CREATE TABLE change_paths (          -- tracked files that a commit changed
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
            path TEXT NOT NULL,              -- the file, or the whole folder where its source says so
            change TEXT NOT NULL,            -- A added, M modified, D deleted, T type changed
            tracked TEXT NOT NULL,           -- the tracked path that covers it
            PRIMARY KEY (change_id, path, change)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX change_paths_path ON change_paths (path)",
        "CREATE INDEX change_paths_tracked ON change_paths (tracked)",
        """
        CREATE TABLE refs (                  -- typed references in the text of a change
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change that refers
            type TEXT NOT NULL,              -- fixes, reverts, backport-of, link, message-id, closes,
                                             -- pull-request, issue, cve or stable
            value TEXT NOT NULL,             -- what the text says
            target TEXT,                     -- full id of the commit meant, where the repository knows one
            PRIMARY KEY (change_id, type, value)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX refs_target ON refs (target)",
        "CREATE INDEX refs_value ON refs (type, value)",
        """
        CREATE TABLE people (                -- who a change names
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
            role TEXT NOT NULL,              -- author, committer, or a trailer's: signed-off-by, reviewed-by, ...
            email TEXT NOT NULL,             -- as written; before name, or SQLite 3.40's integrity_check errs
            name TEXT NOT NULL,              -- as written
            PRIMARY KEY (change_id, role, email)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX people_email ON people (email)",
    )
    db.table("changes").enable_fts(["title", "text"], create_triggers=True, tokenize="porter unicode61 tokenchars '_'")


@migrations()
def m002_views(db: Database) -> None:
    """Views that answer by themselves in Datasette and the sqlite3 shell."""
    _run(
        db,
        """
        CREATE VIEW changes_with_release AS -- changes, their release (first final, else first candidate) and link
        SELECT c.id, s.project, c.source, c.type, c.key, substr(c.key, 1, 12) AS short, c.date, c.title, c.author,
               coalesce(c.first_final, c.first_rc) AS release, r.version, r.series, r.kind AS release_kind,
               r.position, r.date AS release_date, c.first_rc, c.first_final, c.reachable, c.matched_by,
               replace(s.commit_url, '{id}', c.key) AS link
        FROM changes c
        JOIN sources s ON s.id = c.source
        LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
        """,
        """
        CREATE VIEW change_mechanisms AS -- mechanisms of changes, by the tracked paths they touch
        SELECT DISTINCT p.change_id, t.mechanism
        FROM change_paths p
        CROSS JOIN changes c ON c.id = p.change_id      -- CROSS keeps this order: few rows for one change
        CROSS JOIN tracked_paths t ON t.source = c.source AND t.path = p.tracked
        """,
        """
        CREATE VIEW fixes AS -- Fixes references: the mending change and, where the store holds it, the faulty one
        SELECT f.source, f.id AS fix_id, b.id AS bug_id, r.value, r.target
        FROM refs r
        JOIN changes f ON f.id = r.change_id
        LEFT JOIN changes b ON b.source = f.source AND b.key = r.target
        WHERE r.type = 'fixes'
        """,
    )


@migrations()
def m003_labels(db: Database) -> None:
    """Labels, the votes that led to them, and labels by hand."""
    _run(
        db,
        """
        CREATE TABLE classifications (       -- which changes were labelled, and by what
            change_id INTEGER PRIMARY KEY REFERENCES changes(id) ON DELETE CASCADE, -- the change
            version TEXT NOT NULL,           -- fingerprint of rules, model and label by hand
            unknown TEXT NOT NULL            -- why no label could be given; empty: labels were given
        ) STRICT
        """,
        """
        CREATE TABLE labels (                -- labels that count
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
            axis TEXT NOT NULL,              -- relevant, mechanism, kind, dimension or flag
            label TEXT NOT NULL,             -- the label; yes or no on the axis relevant
            score REAL NOT NULL,             -- probability; 1 by hand
            given_by TEXT NOT NULL,          -- votes: the combination of rules and model; rules; hand
            PRIMARY KEY (change_id, axis, label)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX labels_label ON labels (axis, label)",
        """
        CREATE TABLE votes (                 -- what each voter said of each label
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
            axis TEXT NOT NULL,              -- as in labels; or homonym: another meaning of a word was met
            label TEXT NOT NULL,             -- the label
            voter TEXT NOT NULL,             -- path, prefix, title, text, first-word, trailer, model or hand
            score REAL NOT NULL,             -- how strongly, 0 to 1
            version TEXT NOT NULL,           -- the voter's version
            evidence TEXT NOT NULL,          -- the piece of the change that made it say so
            PRIMARY KEY (change_id, axis, label, voter)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE earlier_labels (        -- what the version before gave to changes that were labelled anew
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
            axis TEXT NOT NULL,              -- as in labels
            label TEXT NOT NULL,             -- the label
            score REAL NOT NULL,             -- its probability then
            version TEXT NOT NULL,           -- the version that gave it
            PRIMARY KEY (change_id, axis, label)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE annotations (           -- labels by hand of the changes held, from data/annotations/
            key TEXT NOT NULL,               -- upstream commit id or message-id of the change
            annotator TEXT NOT NULL,         -- who; settled: third reading of a disagreement; own: the user
            relevant INTEGER NOT NULL CHECK (relevant IN (0, 1)), -- whether it is about isolation
            mechanisms TEXT NOT NULL,        -- labels, parted by spaces
            kind TEXT NOT NULL,              -- its kind
            dimensions TEXT NOT NULL,        -- labels, parted by spaces
            flags TEXT NOT NULL,             -- labels, parted by spaces
            PRIMARY KEY (key, annotator)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE studies (               -- published studies that labelled changes with the same kinds
            id TEXT NOT NULL,                -- the study, as in data/studies/
            title TEXT NOT NULL,             -- authors, title, venue
            patches INTEGER NOT NULL,        -- how many changes it labelled
            kind TEXT NOT NULL,              -- a kind
            share REAL,                      -- its share, 0 to 1; NULL: not known
            confidence TEXT NOT NULL,        -- how sure the figures are
            PRIMARY KEY (id, kind)
        ) STRICT, WITHOUT ROWID
        """,
        "DROP VIEW change_mechanisms",
        """
        CREATE VIEW change_mechanisms AS -- mechanisms of changes: their labels, or the paths' where not yet labelled
        SELECT l.change_id, l.label AS mechanism FROM labels l WHERE l.axis = 'mechanism'
        UNION ALL
        SELECT DISTINCT p.change_id, t.mechanism
        FROM change_paths p
        CROSS JOIN changes c ON c.id = p.change_id      -- CROSS keeps this order: few rows for one change
        CROSS JOIN tracked_paths t ON t.source = c.source AND t.path = p.tracked
        WHERE NOT EXISTS (SELECT 1 FROM classifications k WHERE k.change_id = p.change_id)
        """,
        """
        CREATE VIEW off_topic AS -- changes that were found not to be about container isolation
        SELECT change_id FROM labels WHERE axis = 'relevant' AND label = 'no'
        """,
    )


@migrations()
def m004_release_notes(db: Database) -> None:
    """Release notes: where each is told, the changes it speaks of, and the features that changes name."""
    _run(
        db,
        """
        CREATE TABLE note_places (           -- where a release note is told: one note may stand in several pages
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the note, a change of type note
            source TEXT NOT NULL REFERENCES sources(id), -- the source that tells it
            place TEXT NOT NULL,             -- the page: a file of the source, or its address
            said TEXT NOT NULL,              -- the version it stands under, as written there
            version TEXT NOT NULL,           -- the version that is: 5.20 is 6.0
            upstream TEXT,                   -- upstream's version, where a distribution's page names one
            section TEXT NOT NULL,           -- headings above it, outermost first, parted by " > "
            form TEXT NOT NULL,              -- bullet, paragraph, callout, or shortlog: the title of a merged commit
            sign TEXT NOT NULL,              -- new, changed or fixed, where the page has such signs
            date TEXT,                       -- the day that the page gives to the version
            line INTEGER NOT NULL,           -- line at which it stood when it was last read
            seen_from TEXT,                  -- day from which it is known to stand there; NULL: it always did
            seen_until TEXT,                 -- day from which it no longer stands there; NULL: it still does
            gone TEXT NOT NULL,              -- why it no longer does: edited, dropped, moved, page removed
            PRIMARY KEY (change_id, source, place, said, section)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX note_places_source ON note_places (source, version)",
        "CREATE INDEX releases_version ON releases (version)",
        """
        CREATE TABLE withheld (              -- notes whose sentences their page's licence does not let us keep
            change_id INTEGER PRIMARY KEY REFERENCES changes(id) ON DELETE CASCADE -- labelled when they were read
        ) STRICT
        """,
        """
        CREATE TABLE brought_by (            -- the pull request that brought a commit, from the merge that took it in
            change_id INTEGER PRIMARY KEY REFERENCES changes(id) ON DELETE CASCADE, -- the commit
            pull TEXT NOT NULL,              -- owner/name#number
            merge_id TEXT NOT NULL           -- the merge's commit id
        ) STRICT
        """,
        "CREATE INDEX brought_by_pull ON brought_by (pull)",
        """
        CREATE TABLE ties (                  -- release notes tied to the changes they speak of
            note_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the note
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the commit, merge or pull
            tied_by TEXT NOT NULL,           -- id, pull-request, issue, cve, or title: weaker, see score
            score REAL NOT NULL,             -- 1: they name each other; less: likeness of titles, 0 to 1
            evidence TEXT NOT NULL,          -- what they share
            PRIMARY KEY (note_id, change_id, tied_by)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX ties_change ON ties (change_id)",
        """
        CREATE TABLE features (              -- capabilities of kernels and engines, from data/features/
            id TEXT PRIMARY KEY,             -- the feature
            project TEXT NOT NULL,           -- linux or an engine
            area TEXT NOT NULL,              -- group of features
            title TEXT NOT NULL,             -- its name for people
            mechanisms TEXT NOT NULL,        -- labels, parted by spaces
            since TEXT,                      -- first version that has it; NULL: not known
            date TEXT,                       -- the day of that version, where known
            confidence TEXT NOT NULL         -- how sure that is
        ) STRICT
        """,
        """
        CREATE TABLE feature_mentions (      -- changes that brought a feature or name it
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
            feature TEXT NOT NULL REFERENCES features(id) ON DELETE CASCADE, -- the feature
            mentioned_by TEXT NOT NULL,      -- commit: the catalogue names it; note: tied to such a commit; name
            evidence TEXT NOT NULL,          -- the commit id, or the name as it stands in the text
            PRIMARY KEY (change_id, feature, mentioned_by)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX feature_mentions_feature ON feature_mentions (feature)",
        """
        CREATE TABLE version_aliases (       -- versions that were announced under another number
            project TEXT NOT NULL,           -- the project
            said TEXT NOT NULL,              -- the number that was said
            version TEXT NOT NULL,           -- the number it was released under
            PRIMARY KEY (project, said)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE VIEW notes AS -- release notes, each with the release of the project's own history that it speaks of
        SELECT c.id, c.key, p.source, s.project, p.place, p.said, p.version, p.upstream, p.section, p.form, p.sign,
               coalesce(p.date, date(c.date)) AS date, c.title, c.text, p.line, p.seen_from, p.seen_until, p.gone,
               r.source AS history, r.tag AS release
        FROM note_places p
        JOIN changes c ON c.id = p.change_id
        JOIN sources s ON s.id = p.source
        LEFT JOIN releases r ON r.version = coalesce(p.upstream, p.version) AND r.source = (
            SELECT o.source FROM releases o JOIN sources h ON h.id = o.source
            WHERE o.version = coalesce(p.upstream, p.version) AND h.project = s.project AND h.kind IN ('git', 'demo')
            ORDER BY o.source LIMIT 1)
        """,
    )


@migrations()
def m005_hosts(db: Database) -> None:
    """Hosts that were probed, and what was found."""
    _run(
        db,
        """
        CREATE TABLE hosts (                 -- hosts whose probe was saved
            name TEXT PRIMARY KEY,           -- the name it was saved under
            taken_at TEXT NOT NULL,          -- when, UTC
            release TEXT NOT NULL,           -- the kernel's release, as uname -r says it
            environment TEXT NOT NULL        -- what was known of the host, as JSON (docs/probe.md)
        ) STRICT
        """,
        """
        CREATE TABLE findings (              -- verdicts on features
            host TEXT NOT NULL REFERENCES hosts(name) ON DELETE CASCADE, -- the host
            feature TEXT NOT NULL,           -- the feature, as in data/features/
            verdict TEXT NOT NULL,           -- available, compiled-in, blocked, bound-elsewhere, absent or unknown
            reason TEXT NOT NULL,            -- why
            blocked_by TEXT NOT NULL,        -- what stands in the way, or what binds it
            detector TEXT NOT NULL,          -- the question that decided
            errno TEXT NOT NULL,             -- name of the error that decided
            remark TEXT NOT NULL,            -- where verdict and version of the kernel disagree
            evidence TEXT NOT NULL,          -- every detector's answer, a line each
            PRIMARY KEY (host, feature)
        ) STRICT, WITHOUT ROWID
        """,
    )


@migrations()
def m006_proposals_and_works(db: Database) -> None:
    """Mails of patch archives and the series they make, works and their claims, and shared resources."""
    _run(db, *TABLES, *VIEWS)


@migrations()
def m007_marks(db: Database) -> None:
    """What the user marked while reading: a mirror of their own file, which alone counts."""
    _run(
        db,
        """
        CREATE TABLE marks (                 -- the user's marks that stand, from their file data/marks/own.jsonl
            source TEXT NOT NULL,            -- the source; the database need not hold it
            key TEXT NOT NULL,               -- the change's own id; the database need not hold it
            mark TEXT NOT NULL,              -- read: left as read, or marked; interesting, not relevant, idea, note
            note TEXT NOT NULL,              -- what the user wrote, or empty
            marked_at TEXT NOT NULL,         -- when last, UTC
            PRIMARY KEY (source, key, mark, note)
        ) STRICT, WITHOUT ROWID
        """,
    )


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.execute(statement)
