-- title: Maintainers' summaries of subsystem pulls
-- why: What a maintainer says a release brings is the shortest true account of it
-- param source = linux: the source to read
SELECT coalesce(c.first_final, c.first_rc) AS release, date(c.date) AS date, substr(c.key, 1, 12) AS id, c.title, c.text,
       replace(s.commit_url, '{id}', c.key) AS link
FROM changes c
JOIN sources s ON s.id = c.source
WHERE c.source = :source AND c.type = 'pull' AND c.reachable = 1 AND c.id NOT IN (SELECT change_id FROM off_topic)
ORDER BY c.date DESC, c.key
