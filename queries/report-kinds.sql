-- title: Changes per kind and year
-- why: When a history was building and when it was mending; each change has one kind
-- param source = linux: the source to count
SELECT substr(c.date, 1, 4) AS year, coalesce(k.label, '(not labelled)') AS kind, count(*) AS changes
FROM changes c
LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1 AND c.date IS NOT NULL
      AND c.id NOT IN (SELECT change_id FROM off_topic)
GROUP BY 1, 2
ORDER BY year, kind
