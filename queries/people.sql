-- title: Who works on what
-- why: Whom to ask, whose work to follow: changes and reviews of each person in each mechanism
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param person = %: only names like this, e.g. %Heo (% stands for anything)
-- param limit = 50: how many at most; -1 for all
WITH
touched AS MATERIALIZED (
    SELECT c.id, coalesce(m.mechanism, '(no mechanism)') AS mechanism, CAST(substr(c.date, 1, 4) AS INTEGER) AS year
    FROM changes c
    JOIN sources s ON s.id = c.source
    LEFT JOIN change_mechanisms m ON m.change_id = c.id
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND coalesce(m.mechanism, '(no mechanism)') LIKE :mechanism
),
-- By name, because people change their addresses. Whoever reviewed and acked one change reviewed it once.
acts AS (
    SELECT DISTINCT t.id, t.mechanism, t.year, coalesce(nullif(p.name, ''), p.email) AS person,
           CASE WHEN p.role IN ('author', 'co-developed-by') THEN 'wrote' ELSE 'reviewed' END AS act
    FROM touched t JOIN people p ON p.change_id = t.id
    WHERE p.role IN ('author', 'co-developed-by', 'reviewed-by', 'acked-by')
)
SELECT person, mechanism, sum(act = 'wrote') AS changes, sum(act = 'reviewed') AS reviews,
       min(year) AS first_year, max(year) AS last_year
FROM acts
WHERE person LIKE :person
GROUP BY person, mechanism
-- What belongs to no mechanism: last.
ORDER BY mechanism = '(no mechanism)', changes DESC, reviews DESC, person, mechanism
LIMIT :limit
