-- title: Changes by mechanism and dimension
-- why: Which mechanism is worked on for which kind of isolation, and which never is
-- param project = linux: linux, docker, or another source's project
-- param since = 0: only changes of this year and later
--
-- Relevant, labelled commits and posted patches; one of several mechanisms or dimensions counts for each pair.
SELECT m.label AS mechanism, d.label AS dimension, count(*) AS changes
FROM sources s
CROSS JOIN changes c ON c.source = s.id
CROSS JOIN labels y ON y.change_id = c.id AND y.axis = 'relevant' AND y.label = 'yes'
CROSS JOIN labels m ON m.change_id = c.id AND m.axis = 'mechanism'
CROSS JOIN labels d ON d.change_id = c.id AND d.axis = 'dimension'
WHERE s.project = :project AND c.type IN ('commit', 'patch') AND c.reachable = 1
      AND CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
GROUP BY m.label, d.label
ORDER BY m.label, d.label
