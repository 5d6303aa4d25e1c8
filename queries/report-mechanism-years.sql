-- title: Commits and patches on a mechanism, by year and kind
-- why: When a mechanism was built, mended and left alone, in what was merged and in what was posted
-- param mechanism: the mechanism, e.g. cg.memory
-- param project = linux: linux, or an engine's project
-- param type = commit: commit or patch
--
-- Changes of the mechanism by label, or by path where not yet labelled. A patch counts each time it was posted.
SELECT substr(c.date, 1, 4) AS year, coalesce(k.label, '(not labelled)') AS kind, count(*) AS changes
FROM change_mechanisms m
JOIN changes c ON c.id = m.change_id
JOIN sources s ON s.id = c.source
LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
WHERE m.mechanism = :mechanism AND s.project = :project AND c.type = :type AND c.reachable = 1 AND c.date IS NOT NULL
      AND c.id NOT IN (SELECT change_id FROM off_topic)
GROUP BY year, kind
ORDER BY year, kind
