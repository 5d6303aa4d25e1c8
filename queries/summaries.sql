-- title: Summaries of subsystems
-- why: What the maintainers themselves say that a release brings: their pull requests, release by release
-- param project = linux: linux, docker, or another source's project
-- param words = %: only pulls whose title or text is like this, e.g. %cgroup% (% stands for anything)
-- param length = 400: how many characters of the text to show
-- param limit = 200: how many at most, newest first; -1 for all
WITH
pulls AS (
    SELECT c.*, s.commit_url,
           -- What follows the title, in one line; a merge without a body says nothing more.
           replace(replace(trim(substr(c.text, instr(c.text, c.title) + length(c.title)), char(9, 10, 13, 32)),
                           char(13), ''), char(10), ' ') AS body
    FROM changes c JOIN sources s ON s.id = c.source
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'pull' AND (c.title LIKE :words OR c.text LIKE :words)
)
SELECT coalesce(p.first_final, p.first_rc) AS release, date(p.date) AS date, substr(p.key, 1, 12) AS id, p.title,
       CASE WHEN length(p.body) > :length THEN substr(p.body, 1, :length) || ' …' ELSE p.body END AS summary,
       p.author AS merged_by, replace(p.commit_url, '{id}', p.key) AS link
FROM pulls p
ORDER BY p.date DESC, p.key
LIMIT :limit
