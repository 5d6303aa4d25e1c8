-- title: Backports
-- why: Which changes were carried to a release line, from where, and how long that took
-- param project = docker: linux-stable, docker, or another source's project
-- param series = %: only this line, e.g. 6.1 or 20.10 (% stands for anything)
-- param limit = 100: how many at most, newest first; -1 for all
SELECT r.series, coalesce(c.first_final, c.first_rc) AS release, date(c.date) AS date, substr(c.key, 1, 12) AS id, c.title,
       substr(b.value, 1, 12) AS upstream_id,
       CASE WHEN u.id IS NULL THEN '(not in the store)' ELSE coalesce(u.first_final, u.first_rc) END AS upstream_release,
       CAST(round(julianday(c.date) - julianday(u.date)) AS INTEGER) AS days,
       replace(s.commit_url, '{id}', c.key) AS link
FROM refs b
JOIN changes c ON c.id = b.change_id
JOIN sources s ON s.id = c.source
LEFT JOIN changes u ON u.source = c.source AND u.key = b.target
LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
WHERE s.project = :project AND c.reachable = 1 AND c.type IN ('commit', 'merge', 'pull') AND c.id NOT IN (SELECT change_id FROM off_topic)
      AND b.type = 'backport-of' AND coalesce(r.series, '') LIKE :series
ORDER BY c.date DESC, c.key, b.value
LIMIT :limit
