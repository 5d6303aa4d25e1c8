-- title: Changes that no branch or tag leads to any more
-- why: What was dropped when a branch was forced, deleted or rewritten; kminer keeps what it once read
-- param project = linux: linux, docker, or another source's project
-- param limit = 200: how many at most, newest first; -1 for all
SELECT date(c.date) AS date, c.type, substr(c.key, 1, 12) AS id, c.title, c.author,
       -- A rewritten branch brings the same commit again under another id.
       (SELECT substr(min(t.key), 1, 12) FROM changes t
        WHERE t.source = c.source AND t.reachable = 1 AND t.title = c.title AND t.author_date = c.author_date) AS now_id
FROM changes c JOIN sources s ON s.id = c.source
WHERE s.project = :project AND c.reachable = 0
ORDER BY c.date DESC, c.key
LIMIT :limit
