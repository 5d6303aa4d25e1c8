-- title: Changes per mechanism and year
-- why: Where the work went; one change can count for several mechanisms, `once` counts it for its narrowest only
-- param source = linux: the source to count
--
-- `(no mechanism)` are changes to which no label and no path gives one.
WITH labelled AS (
    SELECT c.id, substr(c.date, 1, 4) AS year, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
           row_number() OVER (
               PARTITION BY c.id ORDER BY m.mechanism IN ('cg.core', 'ns.core', 'mgmt.runtime'), m.mechanism
           ) AS rank
    FROM changes c
    LEFT JOIN change_mechanisms m ON m.change_id = c.id
    WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1 AND c.date IS NOT NULL
          AND c.id NOT IN (SELECT change_id FROM off_topic)
)
SELECT year, mechanism, count(*) AS changes, sum(rank = 1) AS once
FROM labelled
GROUP BY year, mechanism
ORDER BY year, mechanism
