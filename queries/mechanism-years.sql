-- title: Changes per year and mechanism
-- why: Which mechanism was young, hot or at rest in which year
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
SELECT CAST(substr(c.date, 1, 4) AS INTEGER) AS year, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
       count(*) AS changes, count(DISTINCT coalesce(nullif(c.author, ''), c.author_email)) AS people
FROM changes c
JOIN sources s ON s.id = c.source
LEFT JOIN change_mechanisms m ON m.change_id = c.id
WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit' AND c.date IS NOT NULL
      AND c.id NOT IN (SELECT change_id FROM off_topic)
      AND coalesce(m.mechanism, '(no mechanism)') LIKE :mechanism
GROUP BY 1, 2
ORDER BY year, changes DESC, mechanism
