-- title: Life times of bugs per mechanism
-- why: In which mechanism bugs live long, and for how many fixes the store cannot tell
-- param project = linux: linux, docker, or another source's project
WITH
-- A pick of a fix repeats its Fixes: line; the original counts where the store has it.
pairs AS (
    SELECT DISTINCT x.source, x.fix_id, x.bug_id, x.value
    FROM fixes x
    JOIN changes f ON f.id = x.fix_id
    JOIN sources s ON s.id = x.source
    -- A changelog repeats the messages of commits, Fixes: lines and all.
    WHERE s.project = :project AND f.reachable = 1 AND f.type IN ('commit', 'merge', 'pull')
          AND f.id NOT IN (SELECT change_id FROM off_topic)
          AND NOT EXISTS (SELECT 1 FROM refs b JOIN changes o ON o.source = f.source AND o.key = b.target
                          WHERE b.change_id = f.id AND b.type = 'backport-of')
),
lives AS MATERIALIZED (
    SELECT p.fix_id, p.bug_id, julianday(f.date) - julianday(b.date) AS days,
           -- Final releases, as versions go, from the bug's first one up to the fix's.
           CASE WHEN b.id IS NOT NULL THEN
               (SELECT count(*) FROM releases n
                WHERE n.source = f.source AND n.kind = 'final' AND n.position >= rb.position
                      AND (rf.position IS NULL OR n.position < rf.position)) END AS releases
    FROM pairs p
    JOIN changes f ON f.id = p.fix_id
    LEFT JOIN changes b ON b.id = p.bug_id
    LEFT JOIN releases rb ON rb.source = b.source AND rb.tag = b.first_final
    LEFT JOIN releases rf ON rf.source = f.source AND rf.tag = f.first_final
),
-- One row a mechanism, and one for all: a fix of two mechanisms counts once there.
grouped AS (
    SELECT coalesce(m.mechanism, '(no mechanism)') AS mechanism, l.*
    FROM lives l LEFT JOIN change_mechanisms m ON m.change_id = l.fix_id
    UNION ALL
    SELECT '(all)', l.* FROM lives l
),
ranked AS (
    SELECT g.*, row_number() OVER (PARTITION BY mechanism ORDER BY days IS NULL, days, fix_id, bug_id) AS rank,
           count(days) OVER (PARTITION BY mechanism) AS known
    FROM grouped g
)
SELECT mechanism, count(DISTINCT fix_id) AS fixes, count(*) - count(bug_id) AS bugs_outside_store,
       count(bug_id) AS bugs, sum(releases = 0) AS never_released,
       -- The middle one, or the mean of the two in the middle.
       CAST(round(avg(CASE WHEN rank IN ((known + 1) / 2, (known + 2) / 2) THEN days END)) AS INTEGER) AS median_days,
       CAST(round(max(days)) AS INTEGER) AS longest_days, max(releases) AS most_releases
FROM ranked
GROUP BY mechanism
ORDER BY mechanism = '(all)' DESC, fixes DESC, mechanism
