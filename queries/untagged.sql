-- title: Changes in no final release yet
-- why: What is coming, and what stayed on a branch or in a candidate
-- param project = linux: linux, docker, or another source's project
-- param limit = 200: how many at most, newest first; -1 for all
WITH
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT date(c.date) AS date, c.first_rc AS candidate, c.type, m.mechanisms, substr(c.key, 1, 12) AS id, c.title,
       c.author, replace(s.commit_url, '{id}', c.key) AS link
FROM changes c
JOIN sources s ON s.id = c.source
LEFT JOIN mechanisms_of m ON m.change_id = c.id
WHERE s.project = :project AND c.reachable = 1 AND c.type IN ('commit', 'merge', 'pull') AND c.first_final IS NULL
      AND c.id NOT IN (SELECT change_id FROM off_topic)
ORDER BY c.date DESC, c.key
LIMIT :limit
