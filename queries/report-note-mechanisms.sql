-- title: Release notes per mechanism, release line and year
-- why: What a project tells its users of; one note can count for several mechanisms, `once` for its narrowest only
-- param project = docker: the project whose notes
--
-- A note that several pages tell counts once, under the first of its versions and days. `once_tied` are those of
-- `once` that a change in this database is tied to. Notes found not to be about isolation are left out.
WITH told AS MATERIALIZED (
    SELECT n.id, n.date, n.release, coalesce(h.series, o.series) AS release_line,
           row_number() OVER (PARTITION BY n.id ORDER BY n.date IS NULL, n.date, n.source, n.place, n.said, n.section) AS rank
    FROM notes n
    LEFT JOIN releases h ON h.source = n.history AND h.tag = n.release
    LEFT JOIN releases o ON o.source = n.source AND o.tag = n.said
    WHERE n.project = :project AND n.gone NOT IN ('edited', 'moved')
          AND n.id NOT IN (SELECT change_id FROM off_topic)
),
labelled AS (
    SELECT t.id, t.release_line, substr(t.date, 1, 4) AS year, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
           t.id IN (SELECT note_id FROM ties) AS tied,
           row_number() OVER (
               PARTITION BY t.id ORDER BY m.mechanism IN ('cg.core', 'ns.core', 'mgmt.runtime'), m.mechanism
           ) AS rank
    FROM told t
    LEFT JOIN change_mechanisms m ON m.change_id = t.id
    WHERE t.rank = 1
)
SELECT release_line, year, mechanism, count(*) AS notes, sum(rank = 1) AS once, sum(rank = 1 AND tied) AS once_tied
FROM labelled
WHERE year IS NOT NULL
GROUP BY year, release_line, mechanism
ORDER BY year, release_line, mechanism
