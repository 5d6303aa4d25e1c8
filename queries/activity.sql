-- title: Changes by mechanism, kind and release
-- why: What kind of work each release brought to each mechanism: new features, bugs mended, or upkeep
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param kind = %: only this kind: feature, bug, performance, reliability or maintenance
WITH
touched AS MATERIALIZED (
    SELECT c.source, coalesce(c.first_final, c.first_rc) AS release,
           coalesce(m.mechanism, '(no mechanism)') AS mechanism, coalesce(k.label, '(not labelled)') AS kind,
           coalesce(nullif(c.author, ''), c.author_email) AS person
    FROM changes c
    JOIN sources s ON s.id = c.source
    LEFT JOIN change_mechanisms m ON m.change_id = c.id
    LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
)
SELECT coalesce(t.release, 'unreleased') AS release, date(r.date) AS date, t.mechanism, t.kind, count(*) AS changes,
       count(DISTINCT t.person) AS people
FROM touched t
LEFT JOIN releases r ON r.source = t.source AND r.tag = t.release
WHERE t.mechanism LIKE :mechanism AND t.kind LIKE :kind
GROUP BY t.source, t.release, t.mechanism, t.kind
ORDER BY t.source, r.position IS NULL, r.position, t.mechanism, changes DESC, t.kind
