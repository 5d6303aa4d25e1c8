-- title: Changes per release and mechanism
-- why: Where development of each mechanism went, release by release
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param series = %: only releases of this line, e.g. 2.6.30 or 20.10 (% stands for anything)
WITH
-- A change whose labels and paths name no mechanism is counted, under a name of its own.
touched AS MATERIALIZED (
    SELECT c.id, c.source, c.first_final, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
           coalesce(nullif(c.author, ''), c.author_email) AS person
    FROM changes c
    JOIN sources s ON s.id = c.source
    LEFT JOIN change_mechanisms m ON m.change_id = c.id
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit' AND c.first_final IS NOT NULL
          AND c.id NOT IN (SELECT change_id FROM off_topic)
)
SELECT r.tag AS release, date(r.date) AS date, t.mechanism, count(*) AS changes, count(DISTINCT t.person) AS people
FROM touched t
JOIN releases r ON r.source = t.source AND r.tag = t.first_final
WHERE t.mechanism LIKE :mechanism AND r.series LIKE :series
GROUP BY r.source, r.position, r.tag, t.mechanism
ORDER BY r.source, r.position, changes DESC, t.mechanism
