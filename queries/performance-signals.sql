-- title: Where the costs are complained of
-- why: Which cost of a mechanism (creation, teardown, charging, accounting, attaching) hurts, and since when unmended
-- param project = linux: linux, docker, another source's project, or % for all
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param topic = %: only this cost: creation, teardown, charging, accounting or attaching
-- param near = 20: at most so many words between the word of complaint and the word of the cost
-- param since = 0: only changes of this year and later
-- param limit = 100: how many at most, those with most complaints since the last mend first; -1 for all
--
-- A signal is a commit, posted patch or note where a word of complaint (slow, latency, contention, overhead, stall,
-- lockup, expensive ...) stands near a word of the cost (fork, teardown, charge, rstat, attach ...), or one of kind
-- performance where a word of gain does (faster, speed up, avoid, batch ...) or whose title names the cost. Those of
-- kind maintenance are left out, and so are picks of held commits and notes tied to a held change. Merged work of kind
-- performance is `mended`, all else a complaint, though a bug's fix may have mended it as well; `days` run from the
-- newest mend to the newest change read. A change counts under each of its mechanisms and costs. Not seen: complaints in
-- other words, in replies and in bug trackers, how large a cost is, and whether a mend mended what was complained of.
-- Changes of the same title count once. Without labels of kind all signals are complaints.
WITH
-- The index stems words: "contention" is "content" there, so that such words must stand in the text as well.
hurts(word, literal) AS (VALUES
    ('slow*', ''), ('latency', ''), ('latencies', ''), ('contention', 'contention'), ('contended', ''), ('scalab*', ''),
    ('unscalable', ''), ('"not scale"', ''), ('overhead', ''), ('bottleneck*', ''), ('stall', ''), ('stalls', ''),
    ('stalled', ''), ('softlockup*', ''), ('"soft lockup"', ''), ('"hung task"', ''), ('expensive', ''), ('costly', ''),
    ('"takes seconds"', ''), ('"take a long time"', ''), ('"takes a long time"', ''), ('"performance regression"', '')
),
helps(word) AS (VALUES
    ('fast*'), ('speed*'), ('optimi*'), ('improv*'), ('perform*'), ('avoid*'), ('batch*'), ('reduc*'),
    ('lockless*'), ('skip*')
),
costs(topic, word) AS (VALUES
    ('creation', 'creat*'), ('creation', 'clone'), ('creation', 'cloning'), ('creation', 'unshare'),
    ('creation', 'fork*'),
    ('teardown', 'destroy*'), ('teardown', 'destruct*'), ('teardown', 'teardown'), ('teardown', '"tear down"'),
    ('teardown', 'exit*'), ('teardown', 'cleanup'), ('teardown', 'offlin*'), ('teardown', 'dismantl*'),
    ('teardown', 'removal'), ('teardown', 'rmdir'), ('teardown', 'dying'),
    ('charging', 'charg*'), ('charging', 'uncharg*'),
    ('accounting', 'accounting'), ('accounting', 'accounted'), ('accounting', 'stat'), ('accounting', 'stats'),
    ('accounting', 'statistics'), ('accounting', 'flush*'), ('accounting', 'rstat'),
    ('attaching', 'attach*'), ('attaching', 'migrat*')
),
-- What the full-text index is asked for, a question a cost.
asked AS MATERIALIZED (
    SELECT c.topic, 0 AS gain, h.literal,
           group_concat('NEAR(' || h.word || ' ' || c.word || ', ' || max(:near, 0) || ')', ' OR ') AS terms
    FROM costs c CROSS JOIN hurts h WHERE c.topic LIKE :topic GROUP BY c.topic, h.literal
    UNION ALL
    SELECT c.topic, 1, '', group_concat('NEAR(' || h.word || ' ' || c.word || ', ' || max(:near, 0) || ')', ' OR ')
    FROM costs c CROSS JOIN helps h WHERE c.topic LIKE :topic GROUP BY c.topic
    UNION ALL
    SELECT c.topic, 1, '', group_concat('title: ' || c.word, ' OR ') FROM costs c
    WHERE c.topic LIKE :topic GROUP BY c.topic
),
hits AS MATERIALIZED (
    SELECT a.topic, x.rowid AS id, min(a.gain) AS gain
    FROM asked a CROSS JOIN changes_fts x ON changes_fts MATCH a.terms
    WHERE a.literal = '' OR instr(lower(x.title || ' ' || x.text), a.literal) > 0
    GROUP BY a.topic, x.rowid
),
-- Signals, and of each whether it is merged work.
every AS (
    SELECT h.topic, c.id, c.key, c.date, c.title, k.label IS 'performance' AND (
               c.type <> 'patch' OR EXISTS (SELECT 1 FROM landings g WHERE g.change_id = c.id)) AS mend,
           CASE WHEN c.type IN ('patch', 'cover') THEN c.key ELSE substr(c.key, 1, 12) END AS short
    FROM hits h
    CROSS JOIN changes c ON c.id = h.id
    JOIN sources s ON s.id = c.source
    LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
    WHERE s.project LIKE :project AND c.type IN ('commit', 'patch', 'note') AND c.reachable = 1
          AND (h.gain = 0 AND k.label IS NOT 'maintenance' OR k.label IS 'performance')
          AND CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
          AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND (c.type <> 'note' OR EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = c.id
                                           AND (p.seen_until IS NULL OR p.gone = 'page removed')))
          AND NOT EXISTS (SELECT 1 FROM refs b JOIN changes o ON o.source = c.source AND o.key = b.target
                          WHERE b.change_id = c.id AND b.type = 'backport-of')
          AND NOT EXISTS (SELECT 1 FROM ties t WHERE t.note_id = c.id)
),
-- Picks without a word of where they come from, versions of a patch and the commit it became have the same title.
signals AS MATERIALIZED (
    SELECT topic, id, key, date, title, mend, short FROM (
        SELECT e.*, row_number() OVER (PARTITION BY topic, lower(title) ORDER BY mend DESC, date DESC, key) AS rank
        FROM every e
    )
    WHERE rank = 1
),
touched AS MATERIALIZED (
    SELECT change_id, mechanism FROM change_mechanisms
    WHERE change_id IN (SELECT id FROM signals) AND mechanism LIKE :mechanism
),
under AS MATERIALIZED (
    SELECT m.mechanism, g.topic, g.key, g.date, g.title, g.mend, g.short,
           max(CASE WHEN g.mend THEN g.date END) OVER (PARTITION BY m.mechanism, g.topic) AS mended_on,
           row_number() OVER (PARTITION BY m.mechanism, g.topic, g.mend ORDER BY g.date DESC, g.key) AS rank
    FROM signals g JOIN touched m ON m.change_id = g.id
),
newest_read AS (
    SELECT max(newest) AS day FROM sources WHERE project LIKE :project
),
grouped AS (
    SELECT mechanism, topic, sum(NOT mend) AS complaints,
           sum(NOT mend AND (mended_on IS NULL OR date > mended_on)) AS since_mend,
           sum(mend) AS mended, substr(min(date), 1, 4) AS first_year, substr(max(date), 1, 4) AS last_year,
           max(CASE WHEN NOT mend AND rank = 1 THEN short END) AS complaint_id,
           max(CASE WHEN NOT mend AND rank = 1 THEN date END) AS complained_on,
           max(CASE WHEN NOT mend AND rank = 1 THEN title END) AS complaint,
           max(CASE WHEN mend AND rank = 1 THEN short END) AS mend_id, max(mended_on) AS mended_on,
           max(CASE WHEN mend AND rank = 1 THEN title END) AS mend
    FROM under GROUP BY mechanism, topic
)
SELECT mechanism, topic, complaints, since_mend, mended, first_year, last_year, complaint_id, complaint_date, complaint,
       mend_id, mend_date, days, mend, remark
FROM (
    SELECT g.mechanism, g.topic, g.complaints, g.since_mend, g.mended, CAST(g.first_year AS INTEGER) AS first_year,
           CAST(g.last_year AS INTEGER) AS last_year, g.complaint_id, date(g.complained_on) AS complaint_date,
           g.complaint, g.mend_id, date(g.mended_on) AS mend_date,
           CAST(julianday(date(r.day)) - julianday(date(g.mended_on)) AS INTEGER) AS days, g.mend, NULL AS remark
    FROM grouped g CROSS JOIN newest_read r
    UNION ALL
    SELECT NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           CASE WHEN EXISTS (SELECT 1 FROM newest_read WHERE day IS NOT NULL)
                THEN 'No change of ' || :project || ' is labelled: `kminer classify` tells what is performance work.'
                ELSE 'No change of ' || :project || ' is in this database; `kminer sync` reads them.' END
    WHERE NOT EXISTS (
        SELECT 1 FROM sources s CROSS JOIN changes c ON c.source = s.id
        JOIN labels k ON k.change_id = c.id AND k.axis = 'kind' WHERE s.project LIKE :project)
)
ORDER BY since_mend DESC, complaints DESC, days DESC, mechanism, topic
LIMIT :limit
