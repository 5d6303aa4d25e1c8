-- title: Fixes of fixes
-- why: What keeps breaking: fixes whose bug is itself a fix, and how long such chains grow
-- param project = linux: linux, docker, or another source's project
-- param limit = 100: how many at most, longest chains first; -1 for all
WITH RECURSIVE
-- A pick of a fix repeats its Fixes: line; the original counts where the store has it.
pairs AS MATERIALIZED (
    SELECT DISTINCT x.fix_id, x.bug_id
    FROM fixes x
    JOIN changes f ON f.id = x.fix_id
    JOIN sources s ON s.id = x.source
    WHERE s.project = :project AND f.reachable = 1 AND x.bug_id IS NOT NULL AND x.bug_id <> x.fix_id
          AND f.id NOT IN (SELECT change_id FROM off_topic)
          AND NOT EXISTS (SELECT 1 FROM refs b JOIN changes o ON o.source = f.source AND o.key = b.target
                          WHERE b.change_id = f.id AND b.type = 'backport-of')
),
-- Chains grow from the first bug upwards. A made-up history may go in circles: nothing stands twice in a chain.
chain(first_id, fixed_id, last_id, length, ids) AS (
    SELECT p.bug_id, p.bug_id, p.fix_id, 1, '/' || p.bug_id || '/' || p.fix_id || '/'
    FROM pairs p
    WHERE p.bug_id NOT IN (SELECT fix_id FROM pairs)
    UNION ALL
    SELECT c.first_id, c.last_id, p.fix_id, c.length + 1, c.ids || p.fix_id || '/'
    FROM chain c JOIN pairs p ON p.bug_id = c.last_id
    WHERE instr(c.ids, '/' || p.fix_id || '/') = 0 AND c.length < 50
)
SELECT c.length AS fixes, substr(f.key, 1, 12) AS id, f.title AS fix, coalesce(f.first_final, f.first_rc) AS release,
       substr(m.key, 1, 12) AS fixed_id, m.title AS fixed, coalesce(m.first_final, m.first_rc) AS fixed_release,
       substr(b.key, 1, 12) AS first_bug_id, b.title AS first_bug, coalesce(b.first_final, b.first_rc) AS first_bug_release,
       CAST(round(julianday(f.date) - julianday(b.date)) AS INTEGER) AS days,
       replace(s.commit_url, '{id}', f.key) AS link
FROM chain c
JOIN changes f ON f.id = c.last_id
JOIN changes m ON m.id = c.fixed_id
JOIN changes b ON b.id = c.first_id
JOIN sources s ON s.id = f.source
WHERE c.length > 1
GROUP BY c.first_id, c.fixed_id, c.last_id, c.length
ORDER BY fixes DESC, f.date DESC, f.key, m.key, b.key
LIMIT :limit
