-- title: Changes meant for stable kernels
-- why: What maintainers marked to be carried back (Cc: stable), since which version, and whether a backport is known
-- param project = linux: linux, or another source's project
-- param limit = 200: how many at most, newest first; -1 for all
WITH
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT date(c.date) AS date, coalesce(c.first_final, c.first_rc) AS release, w.value AS wanted_for,
       m.mechanisms, substr(c.key, 1, 12) AS id, c.title,
       -- In any source: backports of mainline's commits are in the stable series.
       (SELECT count(DISTINCT k.change_id) FROM refs k
        JOIN changes b ON b.id = k.change_id AND b.type IN ('commit', 'merge', 'pull')
        WHERE k.target = c.key AND k.type = 'backport-of') AS backports_known,
       replace(s.commit_url, '{id}', c.key) AS link
FROM refs w
JOIN changes c ON c.id = w.change_id
JOIN sources s ON s.id = c.source
LEFT JOIN mechanisms_of m ON m.change_id = c.id
WHERE s.project = :project AND c.reachable = 1 AND c.type IN ('commit', 'merge', 'pull') AND c.id NOT IN (SELECT change_id FROM off_topic)
      AND w.type = 'stable'
ORDER BY c.date DESC, c.key, w.value
LIMIT :limit
