-- title: How long bugs lived
-- why: Per bug, by the Fixes: line of its fix: days and final releases that went out with it
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only fixes in this mechanism, e.g. cg.memory, or a family such as ns.%
-- param limit = 100: how many at most, longest first; -1 for all
WITH
-- A pick of a fix repeats its Fixes: line; the original counts where the store has it.
pairs AS (
    SELECT x.fix_id, x.bug_id
    FROM fixes x
    JOIN changes f ON f.id = x.fix_id
    JOIN sources s ON s.id = x.source
    WHERE s.project = :project AND f.reachable = 1 AND x.bug_id IS NOT NULL
          AND f.id NOT IN (SELECT change_id FROM off_topic)
          AND NOT EXISTS (SELECT 1 FROM refs b JOIN changes o ON o.source = f.source AND o.key = b.target
                          WHERE b.change_id = f.id AND b.type = 'backport-of')
          AND (:mechanism = '%'
               OR f.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
    GROUP BY x.fix_id, x.bug_id
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT CAST(round(julianday(f.date) - julianday(b.date)) AS INTEGER) AS days,
       -- Final releases, as versions go, from the bug's first one up to the fix's; 0: it never went out.
       (SELECT count(*) FROM releases n
        WHERE n.source = f.source AND n.kind = 'final' AND n.position >= rb.position
              AND (rf.position IS NULL OR n.position < rf.position)) AS releases,
       m.mechanisms, substr(b.key, 1, 12) AS bug_id, b.title AS bug, coalesce(b.first_final, b.first_rc) AS bug_release,
       substr(f.key, 1, 12) AS id, f.title AS fix, coalesce(f.first_final, f.first_rc) AS fix_release,
       replace(s.commit_url, '{id}', f.key) AS link
FROM pairs p
JOIN changes f ON f.id = p.fix_id
JOIN changes b ON b.id = p.bug_id
JOIN sources s ON s.id = f.source
LEFT JOIN mechanisms_of m ON m.change_id = f.id
LEFT JOIN releases rb ON rb.source = b.source AND rb.tag = b.first_final
LEFT JOIN releases rf ON rf.source = f.source AND rf.tag = f.first_final
ORDER BY days DESC, f.key, b.key
LIMIT :limit
