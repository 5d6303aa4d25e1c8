-- title: Versions that release notes speak of
-- why: The releases whose notes can be asked for, also where their project's history is not in the database
-- param project = docker: the project
--
-- Upstream's version where a distribution's page names one. `line` is the release line.
SELECT coalesce(n.upstream, n.version) AS version, min(n.source) AS source, min(n.date) AS date,
       count(DISTINCT n.id) AS notes, max(r.series) AS line, max(n.release) AS tag
FROM notes n
LEFT JOIN releases r ON r.source = n.source AND r.tag = n.said
WHERE n.project = :project
GROUP BY 1
ORDER BY date, version
