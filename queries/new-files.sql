-- title: When files came
-- why: A new file under a tracked path is often a new mechanism, interface or test: what came when, by whom
-- param project = linux: linux, docker, or another source's project
-- param path = %: only paths like this, e.g. kernel/% (% stands for anything)
-- param limit = 200: how many at most, newest first; -1 for all
WITH
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT date(c.date) AS date, coalesce(c.first_final, c.first_rc) AS release, m.mechanisms, p.path,
       substr(c.key, 1, 12) AS id, c.title, c.author,
       EXISTS (SELECT 1 FROM change_paths d WHERE d.change_id = c.id AND d.change = 'D') AS moved_perhaps,
       replace(s.commit_url, '{id}', c.key) AS link
FROM sources s
JOIN changes c ON c.source = s.id
JOIN change_paths p ON p.change_id = c.id
LEFT JOIN mechanisms_of m ON m.change_id = c.id
WHERE s.project = :project AND c.reachable = 1 AND p.change = 'A' AND p.path LIKE :path
      AND c.id NOT IN (SELECT change_id FROM off_topic)
ORDER BY c.date DESC, c.key, p.path
LIMIT :limit
