-- title: Fixes that a release lacks
-- why: Which known bugs a host still has: the bug is in its release, the fix came later and was not carried back
-- param project = linux: linux, docker, or another source's project
-- param release: tag of the release that runs, e.g. v2.6.32
-- param mechanism = %: only fixes in this mechanism, e.g. cg.memory, or a family such as ns.%
-- param limit = 200: how many at most, newest fix first; -1 for all
WITH RECURSIVE
line AS MATERIALIZED (
    SELECT r.source, r.tag, r.position, r.previous, r.series
    FROM releases r JOIN sources s ON s.id = r.source
    -- Of histories: pages of release notes name versions, too.
    WHERE s.project = :project AND s.kind IN ('git', 'demo')
),
-- All that the release builds on, step by step.
chain(source, tag) AS (
    SELECT source, tag FROM line WHERE tag = :release
    UNION
    SELECT l.source, l.previous
    FROM chain c JOIN line l ON l.source = c.source AND l.tag = c.tag
    WHERE l.previous IS NOT NULL
),
-- The first releases of the series: what was in one of them came from the common trunk.
trunk AS (
    SELECT source, tag FROM (
        SELECT r.source, r.tag, row_number() OVER (PARTITION BY r.source, r.series ORDER BY r.position) AS rank
        FROM releases r JOIN line l ON l.source = r.source AND l.tag = r.tag
        WHERE r.kind = 'final')
    WHERE rank = 1
),
here AS (
    SELECT l.source, l.position FROM line l WHERE l.tag = :release
),
-- First of all, or SQLite compares each change with each other.
pairs AS MATERIALIZED (
    SELECT DISTINCT source, fix_id, bug_id FROM fixes WHERE bug_id IS NOT NULL
),
lacking AS (
    SELECT x.fix_id, x.bug_id
    FROM pairs x
    JOIN here h ON h.source = x.source
    JOIN changes f ON f.id = x.fix_id
    JOIN changes b ON b.id = x.bug_id
    JOIN line rb ON rb.source = b.source AND rb.tag = coalesce(b.first_final, b.first_rc)
    LEFT JOIN line rf ON rf.source = f.source AND rf.tag = coalesce(f.first_final, f.first_rc)
    WHERE f.reachable = 1 AND f.id NOT IN (SELECT change_id FROM off_topic) AND rb.position <= h.position
          AND ((b.source, rb.tag) IN (SELECT source, tag FROM chain)
               OR (b.source, rb.tag) IN (SELECT source, tag FROM trunk))
          AND (rf.position IS NULL OR rf.position > h.position)
          -- Itself a pick to a later line: its original is listed.
          AND NOT EXISTS (SELECT 1 FROM refs k JOIN changes o ON o.source = f.source AND o.key = k.target
                          WHERE k.change_id = f.id AND k.type = 'backport-of')
          -- Carried back to what this release builds on.
          AND NOT EXISTS (SELECT 1 FROM refs k CROSS JOIN changes o ON o.id = k.change_id
                          CROSS JOIN chain c ON c.source = o.source AND c.tag = coalesce(o.first_final, o.first_rc)
                          WHERE k.target = f.key AND k.type = 'backport-of')
          AND (:mechanism = '%'
               OR f.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
),
answer AS (
    SELECT f.date AS moment, coalesce(f.first_final, f.first_rc) AS fixed_in, date(f.date) AS date,
           m.mechanisms, substr(f.key, 1, 12) AS id, f.title AS fix, substr(b.key, 1, 12) AS bug_id, b.title AS bug,
           coalesce(b.first_final, b.first_rc) AS bug_since, replace(s.commit_url, '{id}', f.key) AS link
    FROM lacking l
    JOIN changes f ON f.id = l.fix_id
    JOIN changes b ON b.id = l.bug_id
    JOIN sources s ON s.id = f.source
    LEFT JOIN mechanisms_of m ON m.change_id = f.id
    UNION ALL
    -- An empty answer must mean that no fix is missing, never that the tag was misspelt.
    SELECT '9', NULL, NULL, NULL, NULL,
           'No release of ' || :project || ' is tagged ' || :release || '; `kminer releases` lists them.',
           NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM here)
)
SELECT fixed_in, date, mechanisms, id, fix, bug_id, bug, bug_since, link
FROM answer
ORDER BY moment DESC, id, bug_id
LIMIT :limit
