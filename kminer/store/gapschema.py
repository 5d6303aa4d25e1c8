"""Tables and views of proposals, works and shared resources: what the sixth migration makes, in this order."""

from __future__ import annotations

TABLES = (
    """
    CREATE TABLE mails (                 -- mails of patch archives
        key TEXT NOT NULL,               -- message-id
        source TEXT NOT NULL REFERENCES sources(id), -- the archive
        change_id INTEGER REFERENCES changes(id) ON DELETE SET NULL, -- of a patch or cover letter, the change
        kind TEXT NOT NULL,              -- patch, cover, reply, backport, notice (of a maintainer's tree), other
        date TEXT NOT NULL,              -- UTC
        name TEXT NOT NULL,              -- sender's name
        email TEXT NOT NULL,             -- sender's address
        title TEXT NOT NULL,             -- subject without what stands in brackets
        prefix TEXT NOT NULL,            -- what stands in brackets, less version and number: PATCH RFC net-next
        version INTEGER NOT NULL,        -- of the series, from 1
        number INTEGER,                  -- place in the series; 0: cover letter; NULL: alone
        total INTEGER,                   -- patches of the series as the subject says; NULL: alone
        in_reply_to TEXT NOT NULL,       -- message-id, or empty
        thread TEXT NOT NULL,            -- message-ids of its References, oldest first, parted by spaces
        earlier TEXT NOT NULL,           -- message-ids that its text links to, parted by spaces
        change_token TEXT NOT NULL,      -- b4's change-id: the same in all versions of a series; or empty
        says TEXT NOT NULL,              -- applied, reviewed, acked, tested, nacked, superseded; parted by spaces
        words TEXT NOT NULL,             -- of a reply, its first own line
        posting_id INTEGER REFERENCES postings(id) ON DELETE SET NULL, -- the posting it belongs to or answers
        PRIMARY KEY (key, source)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX mails_change ON mails (change_id)",
    "CREATE INDEX mails_posting ON mails (posting_id)",
    """
    CREATE TABLE series (                -- proposals: patches that were posted, all versions together
        id INTEGER PRIMARY KEY,          -- number within this database
        source TEXT NOT NULL REFERENCES sources(id), -- the archive
        key TEXT NOT NULL,               -- message-id of the newest version's cover letter or first patch
        change_id INTEGER REFERENCES changes(id) ON DELETE SET NULL, -- that change
        title TEXT NOT NULL,             -- its title
        author TEXT NOT NULL,            -- who posted the newest version
        author_email TEXT NOT NULL,      -- their address
        postings INTEGER NOT NULL,       -- how often it was posted
        version INTEGER NOT NULL,        -- highest version number
        patches INTEGER NOT NULL,        -- patches of the newest version, as far as the archive has them
        rfc INTEGER NOT NULL,            -- postings as RFC
        authors INTEGER NOT NULL,        -- people who posted a version
        first_date TEXT NOT NULL,        -- first posting, UTC
        last_date TEXT NOT NULL,         -- newest posting, UTC
        span_days INTEGER NOT NULL,      -- days between these
        people INTEGER NOT NULL,         -- people who posted or answered
        replies INTEGER NOT NULL,        -- mails by others that answer it
        reviews INTEGER NOT NULL,        -- of these, with a Reviewed-by, Acked-by or Tested-by
        last_word_key TEXT NOT NULL,     -- message-id of the last mail, posting or answer
        last_word_date TEXT NOT NULL,    -- when, UTC
        last_word_by TEXT NOT NULL,      -- who
        last_word TEXT NOT NULL,         -- its first own line
        verdict TEXT NOT NULL,           -- merged, merged in another form, superseded, never merged, pending or
                                         -- cannot tell
        why TEXT NOT NULL,               -- what the verdict rests on
        seen_in TEXT NOT NULL,           -- evidence of merging that there was to look at
        confidence REAL NOT NULL,        -- 0 to 1
        superseded_by TEXT,              -- key of the series that took its place
        kin TEXT NOT NULL                -- of an RFC, keys of those by others under much the same title
    ) STRICT
    """,
    "CREATE INDEX series_change ON series (change_id)",
    """
    CREATE TABLE postings (              -- versions of series, each as it was posted
        id INTEGER PRIMARY KEY,          -- number within this database
        series_id INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE, -- the series
        key TEXT NOT NULL,               -- message-id of its cover letter, else of its first patch
        change_id INTEGER REFERENCES changes(id) ON DELETE SET NULL, -- that change
        version INTEGER NOT NULL,        -- as its subjects say
        rfc INTEGER NOT NULL,            -- 1: RFC
        date TEXT NOT NULL,              -- UTC
        author TEXT NOT NULL,            -- who posted it
        patches INTEGER NOT NULL,        -- patches that the archive has
        total INTEGER NOT NULL,          -- patches that its subjects say
        replies INTEGER NOT NULL,        -- mails by others that answer it
        joined_by TEXT NOT NULL          -- why it is a version of the series: title, patches, reply, link, token
    ) STRICT
    """,
    "CREATE INDEX postings_series ON postings (series_id)",
    """
    CREATE TABLE landings (              -- evidence that a posted patch was merged
        change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the patch
        found_by TEXT NOT NULL,          -- message-id, author and title, title, likeness, notes, titles, applied
        found_in TEXT NOT NULL,          -- source that has it, or message-id of the mail that says so
        commit_id TEXT NOT NULL,         -- full commit id, or empty
        title TEXT NOT NULL,             -- the title it was merged under
        date TEXT,                       -- when, as far as known
        confidence REAL NOT NULL,        -- 0 to 1
        PRIMARY KEY (change_id, found_by, found_in, commit_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX landings_commit ON landings (commit_id)",
    """
    CREATE TABLE merged_titles (         -- titles of commits known to be merged: of lists, and quoted in mails
        source TEXT NOT NULL REFERENCES sources(id), -- the source that has it
        title TEXT NOT NULL,             -- the commit's title
        commit_id TEXT NOT NULL,         -- its id as given, or empty
        release TEXT NOT NULL,           -- the release it was for, or empty
        date TEXT NOT NULL,              -- day, or empty
        place TEXT NOT NULL,             -- the file, or the message-id of the mail
        PRIMARY KEY (source, title, commit_id, release)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE papers (                -- published works, from data/papers/
        id TEXT PRIMARY KEY,             -- the work
        kind TEXT NOT NULL,              -- survey, paper or system
        title TEXT NOT NULL,             -- its title
        authors TEXT NOT NULL,           -- parted by "; "
        venue TEXT NOT NULL,             -- where it appeared
        year INTEGER NOT NULL,           -- when; 0: not known
        published TEXT NOT NULL,         -- last day of that year, else the day from which it is followed; or empty
        doi TEXT NOT NULL,               -- verified, or empty
        url TEXT NOT NULL,               -- address, or empty
        layer TEXT NOT NULL,             -- layer of the survey: container instance, container management, ...
        in_note INTEGER NOT NULL,        -- 1: the reading note names it
        checked INTEGER NOT NULL,        -- 1: compared with a public text
        confidence TEXT NOT NULL,        -- how sure its bibliography is
        source TEXT NOT NULL             -- where it was seen
    ) STRICT
    """,
    """
    CREATE TABLE claims (                -- statements of works that the history can confirm or refute
        id TEXT PRIMARY KEY,             -- the claim
        paper TEXT NOT NULL REFERENCES papers(id) ON DELETE CASCADE, -- the work
        statement TEXT NOT NULL,         -- in kminer's words
        kind TEXT NOT NULL,              -- gap, cost, praise or design
        dimension TEXT NOT NULL,         -- a dimension
        mechanisms TEXT NOT NULL,        -- labels, parted by spaces
        figure TEXT NOT NULL,            -- as published, or empty
        measured_on TEXT NOT NULL,       -- what the figure was taken on, or empty
        answer TEXT NOT NULL,            -- yes, partly, no, unknown, not applicable: the catalogue's judgement
        answer_note TEXT NOT NULL,       -- on that judgement
        confidence TEXT NOT NULL         -- how sure the claim and its figure are
    ) STRICT
    """,
    """
    CREATE TABLE claim_mechanisms (      -- mechanisms that claims are about
        claim TEXT NOT NULL REFERENCES claims(id) ON DELETE CASCADE, -- the claim
        mechanism TEXT NOT NULL,         -- a label
        PRIMARY KEY (claim, mechanism)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE claim_features (        -- features that bear on claims
        claim TEXT NOT NULL REFERENCES claims(id) ON DELETE CASCADE, -- the claim
        feature TEXT NOT NULL,           -- the feature
        role TEXT NOT NULL,              -- answers: it bears on the claim; open while: the gap is there without it
        PRIMARY KEY (claim, feature, role)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE claim_terms (           -- words to search changes for
        claim TEXT NOT NULL REFERENCES claims(id) ON DELETE CASCADE, -- the claim
        term TEXT NOT NULL,              -- as `kminer search` takes it
        PRIMARY KEY (claim, term)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE claim_changes (         -- changes that were found by a claim's terms
        claim TEXT NOT NULL REFERENCES claims(id) ON DELETE CASCADE, -- the claim
        change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
        term TEXT NOT NULL,              -- the term
        PRIMARY KEY (claim, change_id, term)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX claim_changes_change ON claim_changes (change_id)",
    """
    CREATE TABLE resources (             -- what of the kernel containers share, from data/resources/
        id TEXT PRIMARY KEY,             -- the resource
        area TEXT NOT NULL,              -- group of resources
        title TEXT NOT NULL,             -- its name for people
        kind TEXT NOT NULL,              -- quantity, lock, rate-or-time, setting or view
        counted_by TEXT NOT NULL,        -- what counts or bounds it
        namespaced TEXT NOT NULL,        -- no, partly, or the type of namespace
        namespaced_since TEXT NOT NULL,  -- first release, or empty
        namespaced_commit TEXT NOT NULL, -- upstream id, or empty
        namespaced_note TEXT NOT NULL,   -- what to know
        charged TEXT NOT NULL,           -- yes, partly or no
        charged_key TEXT NOT NULL,       -- controller or file, or empty
        charged_since TEXT NOT NULL,     -- first release, or empty
        charged_commit TEXT NOT NULL,    -- upstream id, or empty
        charged_note TEXT NOT NULL,      -- what to know
        limited TEXT NOT NULL,           -- what bounds it, parted by spaces
        at_exhaustion TEXT NOT NULL,     -- what callers see
        leak TEXT NOT NULL,              -- whether a container sees the host's value: yes, no or partly
        leak_note TEXT NOT NULL,         -- what to know
        look TEXT NOT NULL,              -- files that show it, parted by spaces
        confidence TEXT NOT NULL,        -- how sure this is
        source TEXT NOT NULL             -- where it was seen
    ) STRICT
    """,
    """
    CREATE TABLE resource_papers (       -- works that speak of resources
        resource TEXT NOT NULL REFERENCES resources(id) ON DELETE CASCADE, -- the resource
        paper TEXT NOT NULL,             -- the work
        recalled INTEGER NOT NULL,       -- 1: linked from memory only
        PRIMARY KEY (resource, paper)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE resource_changes (      -- changes that were found by a resource's terms
        resource TEXT NOT NULL REFERENCES resources(id) ON DELETE CASCADE, -- the resource
        change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE, -- the change
        term TEXT NOT NULL,              -- the term
        PRIMARY KEY (resource, change_id, term)
    ) STRICT, WITHOUT ROWID
    """,
)

VIEWS = (
    """
    CREATE VIEW series_labels AS -- labels of the patches and cover letters of series, and how many have them
    SELECT o.series_id, l.axis, l.label, count(*) AS patches
    FROM mails m
    CROSS JOIN postings o ON o.id = m.posting_id
    CROSS JOIN labels l ON l.change_id = m.change_id
    WHERE m.change_id IS NOT NULL
    GROUP BY o.series_id, l.axis, l.label
    """,
    """
    CREATE VIEW unmerged_series AS -- series never merged, each with how many people asked for it or much the same
    SELECT p.*, s.project,
           max(p.authors, (SELECT count(DISTINCT o.author_email) FROM series o
                           WHERE p.kin <> ''
                                 AND (o.id = p.id OR instr(' ' || p.kin || ' ', ' ' || o.key || ' ') > 0)))
               AS wanted_by
    FROM series p JOIN sources s ON s.id = p.source
    WHERE p.verdict = 'never merged'
    """,
    """
    CREATE VIEW proposals AS -- series of patches, each with its mechanisms and the archive's link
    SELECT p.id, s.project, p.source, p.key, p.title, p.author, p.postings, p.version, p.patches, p.rfc, p.authors,
           date(p.first_date) AS first_day, date(p.last_date) AS last_day, p.span_days, p.people, p.replies,
           p.reviews, p.verdict, p.confidence, p.why, p.seen_in, p.superseded_by,
           date(p.last_word_date) AS last_word_day, p.last_word_by, p.last_word, p.last_word_key,
           (SELECT group_concat(mechanism, ', ') FROM (
                SELECT DISTINCT l.label AS mechanism FROM postings o CROSS JOIN mails m ON m.posting_id = o.id
                CROSS JOIN labels l ON l.change_id = m.change_id AND l.axis = 'mechanism'
                WHERE o.series_id = p.id ORDER BY 1)) AS mechanisms,
           replace(s.commit_url, '{id}', p.key) AS link
    FROM series p JOIN sources s ON s.id = p.source
    """,
    """
    CREATE VIEW read_to AS -- what was read of each source: from which day to which, and the newest release in it
    SELECT s.id AS source, s.project, s.title, s.kind,
           CASE WHEN s.kind IN ('git', 'demo') THEN 'commits' WHEN s.kind = 'mailing-list' THEN 'patches'
                WHEN s.kind = 'merged-titles' THEN 'titles' ELSE 'notes' END AS what,
           coalesce((SELECT min(p.date) FROM note_places p WHERE p.source = s.id),
                    -- Of a history that was read whole, what came before its first change was read as well.
                    (SELECT date(min(r.date)) FROM releases r WHERE r.source = s.id AND s.since IS NULL
                     AND s.shallow = 0 AND r.date < (SELECT min(c.date) FROM changes c WHERE c.source = s.id)),
                    (SELECT date(min(c.date)) FROM changes c WHERE c.source = s.id)) AS first_day,
           -- No clock of a stranger takes it beyond the day on which it was read.
           nullif(min(max(coalesce(date(s.newest), ''),
                          coalesce((SELECT date(max(r.date)) FROM releases r WHERE r.source = s.id), '')),
                      date(s.synced_at)), '') AS last_day,
           coalesce((SELECT r.tag FROM releases r WHERE r.source = s.id ORDER BY r.position DESC LIMIT 1),
                    (SELECT coalesce(p.upstream, p.version) FROM note_places p WHERE p.source = s.id
                     ORDER BY p.date DESC, p.version DESC LIMIT 1)) AS release
    FROM sources s WHERE s.synced_at IS NOT NULL
    """,
    """
    CREATE VIEW shown_mechanisms AS -- mechanisms of a source: it tracks them, or one in a hundred changes has them
    SELECT source, mechanism FROM tracked_paths
    UNION
    SELECT source, mechanism FROM (
        SELECT c.source, l.label AS mechanism, count(*) AS n
        FROM labels l CROSS JOIN changes c ON c.id = l.change_id
        WHERE l.axis = 'mechanism' GROUP BY c.source, l.label) g
    WHERE 100 * n >= (SELECT count(*) FROM changes o WHERE o.source = g.source)
    """,
    """
    CREATE VIEW claim_sources AS -- sources that could answer a claim: of engines for what engines do, else of Linux
    WITH
    read AS MATERIALIZED (SELECT * FROM read_to),
    shown AS MATERIALIZED (SELECT * FROM shown_mechanisms)
    SELECT w.claim, w.mechanism, r.source, r.project, r.what, r.first_day, r.last_day, r.release,
           h.source IS NOT NULL AS shows_it
    FROM claim_mechanisms w
    JOIN read r ON (r.project <> 'linux') = (w.mechanism LIKE 'mgmt.%' OR w.mechanism = 'fs.driver')
    LEFT JOIN shown h ON h.mechanism = w.mechanism AND h.source = r.source
    WHERE r.what <> 'titles'
    """,
    """
    CREATE VIEW picks AS -- changes that are picks of others which the same source holds
    SELECT b.change_id FROM refs b
    JOIN changes c ON c.id = b.change_id
    JOIN changes o ON o.source = c.source AND o.key = b.target
    WHERE b.type = 'backport-of'
    """,
    """
    CREATE VIEW counted_changes AS -- changes that count: reachable, not off topic, no pick, no note that is gone
    SELECT c.id, s.project, c.source, c.type, c.key, c.date, date(c.date) AS day, c.title,
           CASE WHEN c.type IN ('patch', 'cover') THEN c.key ELSE substr(c.key, 1, 12) END AS short
    FROM changes c
    CROSS JOIN sources s ON s.id = c.source          -- CROSS keeps this order: few rows for one change
    WHERE c.reachable = 1 AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND (c.type <> 'note' OR EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = c.id
                                           AND (p.seen_until IS NULL OR p.gone = 'page removed')))
          AND NOT EXISTS (SELECT 1 FROM refs b JOIN changes o ON o.key = b.target AND o.source = c.source
                          WHERE b.change_id = c.id AND b.type = 'backport-of')
    """,
    """
    CREATE VIEW claim_evidence AS -- changes since a claim's work: of its mechanism and dimension, or with its terms
    WITH
    labelled AS MATERIALIZED (
        SELECT m.label AS mechanism, d.label AS dimension, c.id, c.date
        FROM labels d
        CROSS JOIN labels m ON m.change_id = d.change_id AND m.axis = 'mechanism'
        CROSS JOIN changes c ON c.id = d.change_id
        CROSS JOIN sources s ON s.id = c.source
        WHERE d.axis = 'dimension' AND (s.project <> 'linux') = (m.label LIKE 'mgmt.%' OR m.label = 'fs.driver')
              AND (+m.label, +d.label) IN (SELECT w.mechanism, q.dimension
                                           FROM claims q JOIN claim_mechanisms w ON w.claim = q.id)
    ),
    found AS (
        SELECT q.id AS claim, p.published, l.id, 1 AS on_subject, 0 AS by_term
        FROM claims q
        CROSS JOIN papers p ON p.id = q.paper
        CROSS JOIN claim_mechanisms w ON w.claim = q.id
        JOIN labelled l ON l.mechanism = w.mechanism AND l.dimension = q.dimension
        WHERE date(l.date) > p.published
        UNION ALL
        SELECT f.claim, p.published, c.id, 0, 1
        FROM claim_changes f
        CROSS JOIN claims q ON q.id = f.claim
        CROSS JOIN papers p ON p.id = q.paper
        CROSS JOIN changes c ON c.id = f.change_id
        WHERE date(c.date) > p.published
    ),
    once AS MATERIALIZED (
        SELECT claim, published, id, max(on_subject) AS on_subject, max(by_term) AS by_term FROM found
        GROUP BY claim, id
    ),
    counted AS MATERIALIZED (SELECT * FROM counted_changes WHERE id IN (SELECT id FROM once))
    SELECT e.claim, e.id AS change_id, e.on_subject, e.by_term, c.project, c.source, c.type, c.key, c.short, c.day,
           CAST(julianday(c.day) - julianday(e.published) AS INTEGER) AS days_after, c.title, k.label AS kind
    FROM once e
    JOIN counted c ON c.id = e.id
    LEFT JOIN labels k ON k.change_id = e.id AND k.axis = 'kind'
    """,
    """
    CREATE VIEW landed_features AS -- features that bear on claims, each with the day of its first release
    SELECT a.claim, a.role, a.feature, f.title, f.project, f.since, f.confidence, f.day,
           CAST(julianday(f.day) - julianday(p.published) AS INTEGER) AS days_after
    FROM claim_features a
    JOIN claims q ON q.id = a.claim
    JOIN papers p ON p.id = q.paper
    LEFT JOIN (
        SELECT o.*, coalesce(o.date, (SELECT date(min(r.date)) FROM releases r JOIN sources s ON s.id = r.source
                                      WHERE r.version = o.since AND s.project = o.project)) AS day
        FROM features o) f ON f.id = a.feature
    """,
    """
    CREATE VIEW claim_facts AS -- what the verdicts on claims rest on, a row a claim
    WITH
    evidence AS MATERIALIZED (
        SELECT claim, change_id, on_subject, by_term, type, short, day, kind FROM claim_evidence
    ),
    changes_since AS (
        SELECT claim, sum(type = 'commit') AS commits, sum(type = 'note') AS notes,
               sum(kind IS 'feature') AS features, sum(kind IS 'performance') AS performance,
               sum(kind IN ('feature', 'performance', 'reliability')) AS steps,
               sum(by_term AND kind IN ('feature', 'performance', 'reliability')) AS near_steps,
               max(CASE WHEN kind IN ('feature', 'performance', 'reliability')
                   THEN day || ' ' || short END) AS step,
               max(CASE WHEN by_term AND kind IN ('feature', 'performance', 'reliability')
                   THEN day END) AS near_step,
               max(day || ' ' || short) AS newest
        FROM evidence WHERE on_subject = 1 AND type IN ('commit', 'note') GROUP BY claim
    ),
    proposed_since AS (
        SELECT e.claim, count(DISTINCT o.series_id) AS proposals,
               count(DISTINCT CASE WHEN e.by_term THEN o.series_id END) AS near_proposals,
               max(CASE WHEN e.by_term THEN e.day END) AS near_newest, max(e.day || ' ' || p.key) AS newest
        FROM evidence e
        CROSS JOIN mails m ON m.change_id = e.change_id
        CROSS JOIN postings o ON o.id = m.posting_id
        CROSS JOIN series p ON p.id = o.series_id
        WHERE e.type IN ('patch', 'cover') GROUP BY e.claim
    ),
    hits_since AS (
        SELECT claim, count(*) AS hits, substr(max(day || ' ' || short), 12) AS hit_id
        FROM evidence WHERE by_term = 1 GROUP BY claim
    ),
    landed AS (
        SELECT claim, sum(since IS NOT NULL) AS bearing, coalesce(sum(days_after > 0), 0) AS landed,
               min(CASE WHEN days_after > 0 THEN printf('%8d ', days_after) || feature END) AS first_after,
               max(CASE WHEN days_after <= 0
                   THEN printf('%8d ', days_after + 1000000) || feature END) AS last_before,
               max(CASE WHEN days_after > 0 THEN day END) AS landed_date
        FROM landed_features WHERE role = 'answers' GROUP BY claim
    ),
    open AS (
        SELECT claim, group_concat(feature, ', ') AS open FROM (
            SELECT claim, feature FROM landed_features WHERE role = 'open while' AND since IS NULL
            ORDER BY claim, feature)
        GROUP BY claim
    ),
    sources AS MATERIALIZED (SELECT * FROM claim_sources),
    reached AS (
        SELECT s.claim, max(s.last_day) AS read_day, group_concat(DISTINCT s.project) AS projects,
               max(EXISTS (SELECT 1 FROM changes c WHERE c.source = s.source)) AS has_changes,
               max(EXISTS (SELECT 1 FROM changes c JOIN classifications k ON k.change_id = c.id
                           WHERE c.source = s.source)) AS has_labels
        FROM sources s GROUP BY s.claim
    ),
    -- Days since the work that something was read which shows the mechanism; of several, the worst read one counts.
    covered AS (
        SELECT claim, min(days) AS covered, mechanism FROM (
            SELECT w.claim, w.mechanism, max(0, coalesce(max(CASE WHEN s.shows_it THEN CAST(julianday(s.last_day)
                   - julianday(max(s.first_day, p.published)) AS INTEGER) END), 0)) AS days
            FROM claim_mechanisms w
            JOIN claims q ON q.id = w.claim
            JOIN papers p ON p.id = q.paper
            LEFT JOIN sources s ON s.claim = w.claim AND s.mechanism = w.mechanism
            GROUP BY w.claim, w.mechanism)
        GROUP BY claim
    ),
    -- Of aggregates with max() or min(), SQLite takes bare columns from the row of the maximum or minimum.
    kinds_read AS (
        SELECT claim, project, what, release, max(last_day) AS last_day
        FROM sources WHERE shows_it AND last_day IS NOT NULL GROUP BY claim, project, what
    ),
    read AS (
        SELECT claim, group_concat(project || ' ' || what || ' to ' || coalesce(release || ' (' || last_day || ')',
                                                                               last_day), '; ') AS read_to
        FROM (SELECT * FROM kinds_read ORDER BY claim, project <> 'linux', project, what) GROUP BY claim
    ),
    read_since AS (
        SELECT claim, group_concat(source || ' (' || what || ' of ' || first_day || ' to ' || last_day || ')', ', ')
                   AS read_since
        FROM (SELECT DISTINCT s.claim, s.source, s.what, max(s.first_day, p.published) AS first_day, s.last_day
              FROM sources s JOIN claims q ON q.id = s.claim JOIN papers p ON p.id = q.paper
              WHERE s.shows_it AND s.last_day > p.published ORDER BY s.claim, s.source)
        GROUP BY claim
    )
    SELECT q.id AS claim, q.paper, p.year, p.published, q.statement, q.kind, q.dimension, q.mechanisms, q.answer,
           coalesce(l.bearing, 0) AS bearing, coalesce(l.landed, 0) AS landed, l.landed_date,
           substr(l.first_after, 10) AS first_after, substr(l.last_before, 10) AS last_before, o.open,
           coalesce(c.commits, 0) AS commits, coalesce(c.notes, 0) AS notes, coalesce(c.features, 0) AS features,
           coalesce(c.performance, 0) AS performance, coalesce(c.steps, 0) AS steps, c.near_steps, c.near_step,
           substr(c.step, 1, 10) AS step_date, substr(c.step, 12) AS step_id, substr(c.newest, 12) AS newest_id,
           substr(c.newest, 1, 10) AS newest_date,
           coalesce(x.proposals, 0) AS proposals, x.near_proposals, x.near_newest,
           substr(x.newest, 12) AS proposal_id, substr(x.newest, 1, 10) AS proposal_date,
           coalesce(h.hits, 0) AS hits, h.hit_id, r.projects, r.read_day, r.has_changes, r.has_labels,
           coalesce(v.covered, 0) AS covered, v.mechanism AS least_covered, t.read_to, u.read_since
    FROM claims q
    JOIN papers p ON p.id = q.paper
    LEFT JOIN landed l ON l.claim = q.id
    LEFT JOIN open o ON o.claim = q.id
    LEFT JOIN changes_since c ON c.claim = q.id
    LEFT JOIN proposed_since x ON x.claim = q.id
    LEFT JOIN hits_since h ON h.claim = q.id
    LEFT JOIN reached r ON r.claim = q.id
    LEFT JOIN covered v ON v.claim = q.id
    LEFT JOIN read t ON t.claim = q.id
    LEFT JOIN read_since u ON u.claim = q.id
    """,
)
