-- title: Share of bugs, features and the other kinds
-- why: How much of the work mends, adds or keeps up, beside what published studies of Linux counted with the same kinds
-- param project = linux: linux, docker, or another source's project
-- param mechanism = : also by mechanism: this one, e.g. cg.memory, a family such as ns.%, or % for each
--
-- Only labelled changes count, without merges and what is not about isolation. A study's column is NULL where its
-- share is not known; its confidence says how sure its figures are.
WITH
labelled AS MATERIALIZED (
    SELECT c.id, k.label AS kind
    FROM changes c
    JOIN sources s ON s.id = c.source
    JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
),
-- One row a mechanism, and one for all: a change of two mechanisms counts once there.
grouped AS (
    SELECT '(all)' AS mechanism, kind FROM labelled
    UNION ALL
    SELECT coalesce(m.mechanism, '(no mechanism)'), l.kind
    FROM labelled l LEFT JOIN change_mechanisms m ON m.change_id = l.id
    WHERE coalesce(m.mechanism, '(no mechanism)') LIKE :mechanism
),
counts AS MATERIALIZED (SELECT mechanism, kind, count(*) AS changes FROM grouped GROUP BY mechanism, kind),
totals AS (SELECT mechanism, sum(changes) AS changes FROM counts GROUP BY mechanism),
-- A kind that no change has is told as well.
kinds AS (SELECT kind FROM studies UNION SELECT kind FROM counts),
published AS (
    SELECT kind, max(round(100 * share, 1)) FILTER (WHERE id = 'fast13') AS fast13,
           max(round(100 * share, 1)) FILTER (WHERE id = 'atc16') AS atc16,
           max(confidence) FILTER (WHERE id = 'fast13') AS fast13_confidence,
           max(confidence) FILTER (WHERE id = 'atc16') AS atc16_confidence
    FROM studies GROUP BY kind
)
SELECT t.mechanism, k.kind, coalesce(c.changes, 0) AS changes,
       round(100.0 * coalesce(c.changes, 0) / t.changes, 1) AS percent,
       p.fast13 AS fast13_percent, p.fast13_confidence, p.atc16 AS atc16_percent, p.atc16_confidence
FROM totals t
CROSS JOIN kinds k
LEFT JOIN counts c ON c.mechanism = t.mechanism AND c.kind = k.kind
LEFT JOIN published p ON p.kind = k.kind
ORDER BY t.mechanism = '(all)' DESC, t.changes DESC, t.mechanism, changes DESC, k.kind
