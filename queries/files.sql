-- title: Most changed files
-- why: Where the work is done, by how many, and whether it still goes on
-- param project = linux: linux, docker, or another source's project
-- param path = %: only paths like this, e.g. kernel/cgroup% (% stands for anything)
-- param limit = 40: how many at most; -1 for all
--
-- The mechanisms are those of the path, not of its changes. Patches that were only posted are no changes of a file.
SELECT p.path, group_concat(DISTINCT t.mechanism) AS mechanisms, count(DISTINCT c.id) AS changes,
       count(DISTINCT coalesce(nullif(c.author, ''), c.author_email)) AS people,
       -- The date is always 20 characters long: the least of date and id tells both.
       substr(min(c.date || c.key), 1, 10) AS first_date, substr(min(c.date || c.key), 21, 12) AS first_id,
       substr(max(c.date || c.key), 1, 10) AS last_date, substr(max(c.date || c.key), 21, 12) AS last_id
FROM sources s
JOIN changes c ON c.source = s.id
JOIN change_paths p ON p.change_id = c.id
LEFT JOIN tracked_paths t ON t.source = c.source AND t.path = p.tracked
WHERE s.project = :project AND c.reachable = 1 AND c.type NOT IN ('patch', 'cover') AND c.id NOT IN (SELECT change_id FROM off_topic) AND p.path LIKE :path
GROUP BY p.path
ORDER BY changes DESC, p.path
LIMIT :limit
