-- title: CVEs by mechanism
-- why: Where isolation was breached and how openly that was told: in release notes, in commits, or in one of them only
-- param project = %: only as named by this project, e.g. docker, runc or linux (% stands for any)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param since = 0: only CVEs of this year and later, by their number
--
-- A CVE counts once a mechanism, for each mechanism of any change that names it: a change that names five CVEs gives all
-- five its mechanisms. Not seen: vulnerabilities that neither a note nor a kept commit names by number. Years are those of
-- the numbers. What was found not to be about isolation counts as well: it is under "(no mechanism)" if nothing else is known.
WITH
naming AS MATERIALIZED (
    SELECT v.value AS cve, c.id, c.type, s.project, CAST(substr(v.value, 5, 4) AS INTEGER) AS year
    FROM refs v
    JOIN changes c ON c.id = v.change_id
    JOIN sources s ON s.id = c.source
    WHERE v.type = 'cve' AND c.reachable = 1 AND s.project LIKE :project
          AND CAST(substr(v.value, 5, 4) AS INTEGER) >= :since
          AND (c.type IN ('commit', 'merge', 'pull') OR c.id IN (SELECT change_id FROM note_places
                                            WHERE seen_until IS NULL OR gone = 'page removed'))
),
-- Once a CVE: who names it.
cves AS MATERIALIZED (
    SELECT cve, year, max(type = 'note') AS in_notes, max(type IN ('commit', 'merge', 'pull')) AS in_commits FROM naming GROUP BY cve
),
touched AS (SELECT DISTINCT n.cve, m.mechanism FROM naming n JOIN change_mechanisms m ON m.change_id = n.id),
grouped AS MATERIALIZED (
    SELECT '(all)' AS mechanism, cve FROM cves
    UNION ALL
    SELECT coalesce(t.mechanism, '(no mechanism)'), v.cve FROM cves v LEFT JOIN touched t ON t.cve = v.cve
),
projects AS (
    SELECT mechanism, group_concat(project, ', ') AS projects
    FROM (SELECT DISTINCT g.mechanism, n.project FROM grouped g JOIN naming n ON n.cve = g.cve ORDER BY 1, 2)
    GROUP BY mechanism
)
SELECT g.mechanism, count(*) AS cves, sum(v.in_notes) AS in_notes, sum(v.in_commits) AS in_commits,
       sum(v.in_notes AND v.in_commits) AS in_both, sum(NOT v.in_commits) AS only_in_notes,
       sum(NOT v.in_notes) AS only_in_commits, min(v.year) AS first_year, max(v.year) AS last_year, p.projects
FROM grouped g
JOIN cves v ON v.cve = g.cve
JOIN projects p ON p.mechanism = g.mechanism
WHERE g.mechanism LIKE :mechanism
GROUP BY g.mechanism
ORDER BY g.mechanism = '(all)' DESC, cves DESC, g.mechanism
