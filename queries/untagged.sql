-- title: Changes in no final release yet
-- why: What is coming, and what stayed on a branch or in a candidate
-- param project = linux: linux, docker, or another source's project
-- param limit = 200: how many at most, newest first; -1 for all
SELECT date(c.date) AS date, c.first_rc AS candidate, c.type,
       (SELECT group_concat(mechanism, ', ')
        FROM (SELECT DISTINCT t.mechanism
                  FROM change_paths p JOIN tracked_paths t ON t.source = c.source AND t.path = p.tracked
                  WHERE p.change_id = c.id ORDER BY t.mechanism)) AS mechanisms,
       substr(c.key, 1, 12) AS id, c.title, c.author, replace(s.commit_url, '{id}', c.key) AS link
FROM changes c JOIN sources s ON s.id = c.source
WHERE s.project = :project AND c.reachable = 1 AND c.first_final IS NULL
ORDER BY c.date DESC, c.key
LIMIT :limit
