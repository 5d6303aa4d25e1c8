-- title: Mechanisms that meet in one change
-- why: Where mechanisms depend on each other or collide, since when, and a change to begin reading with
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only pairs with this mechanism, e.g. cg.memory, or a family such as ns.%
-- param limit = 100: how many at most, most changes first; -1 for all
WITH
touched AS MATERIALIZED (
    SELECT c.id, m.mechanism, c.date, c.key, count(*) OVER (PARTITION BY c.id) AS mechanisms
    FROM changes c
    JOIN sources s ON s.id = c.source
    JOIN change_mechanisms m ON m.change_id = c.id
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
),
totals AS MATERIALIZED (SELECT mechanism, count(*) AS changes FROM touched GROUP BY mechanism),
-- The example is about little else than the two, and of those the newest.
met AS (
    SELECT a.mechanism AS one, b.mechanism AS other, a.id, CAST(substr(a.date, 1, 4) AS INTEGER) AS year,
           row_number() OVER (PARTITION BY a.mechanism, b.mechanism ORDER BY a.mechanisms, a.date DESC, a.key) AS rank
    FROM touched a JOIN touched b ON b.id = a.id AND b.mechanism > a.mechanism
    WHERE a.mechanisms > 1 AND (a.mechanism LIKE :mechanism OR b.mechanism LIKE :mechanism)
),
pairs AS (
    SELECT one, other, count(*) AS changes, min(year) AS first_year, max(year) AS last_year,
           max(CASE WHEN rank = 1 THEN id END) AS example
    FROM met GROUP BY one, other
)
SELECT p.one AS mechanism, p.other AS with_mechanism, p.changes,
       round(100.0 * p.changes / min(x.changes, y.changes), 1) AS percent_of_rarer, p.first_year, p.last_year,
       substr(c.key, 1, 12) AS id, c.title, replace(s.commit_url, '{id}', c.key) AS link
FROM pairs p
JOIN totals x ON x.mechanism = p.one
JOIN totals y ON y.mechanism = p.other
JOIN changes c ON c.id = p.example
JOIN sources s ON s.id = c.source
ORDER BY p.changes DESC, p.one, p.other
LIMIT :limit
