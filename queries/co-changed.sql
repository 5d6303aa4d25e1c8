-- title: Mechanisms that change together
-- why: Which mechanisms lean on each other: how often one change touches both
-- param project = linux: linux, docker, or another source's project
WITH
touched AS MATERIALIZED (
    SELECT m.change_id, m.mechanism, CAST(substr(c.date, 1, 4) AS INTEGER) AS year
    FROM changes c
    JOIN sources s ON s.id = c.source
    JOIN change_mechanisms m ON m.change_id = c.id
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
),
totals AS (SELECT mechanism, count(*) AS changes FROM touched GROUP BY mechanism),
together AS (
    SELECT a.mechanism AS one, b.mechanism AS other, count(*) AS changes, min(a.year) AS first_year, max(a.year) AS last_year
    FROM touched a JOIN touched b ON b.change_id = a.change_id AND b.mechanism > a.mechanism
    GROUP BY a.mechanism, b.mechanism
)
SELECT t.one AS mechanism, t.other AS with_mechanism, t.changes,
       round(100.0 * t.changes / x.changes, 1) AS percent_of_first,
       round(100.0 * t.changes / y.changes, 1) AS percent_of_second,
       t.first_year, t.last_year
FROM together t
JOIN totals x ON x.mechanism = t.one
JOIN totals y ON y.mechanism = t.other
ORDER BY t.changes DESC, t.one, t.other
