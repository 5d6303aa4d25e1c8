-- title: Milestones of a mechanism
-- why: Which features it got, when, by which commit, and which engine named each first
-- param mechanism: the mechanism, e.g. cg.memory
-- param project = linux: linux, or an engine's project
--
-- Features of the catalogue whose first release is known. `commit_id` is there where a source holds the commit; `engine` is
-- the first project, of those that were read, with a change that names the feature, by the day of that change, which says
-- nothing of use. A feature that the catalogue lacks is not here.
WITH
named AS (
    SELECT m.feature, s.project, date(c.date) AS day,
           row_number() OVER (PARTITION BY m.feature ORDER BY c.date, c.key) AS rank
    FROM feature_mentions m
    JOIN changes c ON c.id = m.change_id
    JOIN sources s ON s.id = c.source
    JOIN features f ON f.id = m.feature
    WHERE s.project <> f.project AND c.date IS NOT NULL AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM off_topic)
),
brought AS (
    SELECT m.feature, substr(c.key, 1, 12) AS short, row_number() OVER (PARTITION BY m.feature ORDER BY c.date, c.key) AS rank
    FROM feature_mentions m JOIN changes c ON c.id = m.change_id
    WHERE m.mentioned_by = 'commit' AND c.type = 'commit'
)
SELECT f.id, f.title, f.area, f.since, f.date, f.confidence, f.title || ' (' || f.since || ')' AS event,
       b.short AS commit_id, n.project AS engine, n.day AS engine_date
FROM features f
LEFT JOIN named n ON n.feature = f.id AND n.rank = 1
LEFT JOIN brought b ON b.feature = f.id AND b.rank = 1
WHERE f.project = :project AND f.since IS NOT NULL AND f.id NOT LIKE 'req.%'
      AND ' ' || f.mechanisms || ' ' LIKE '% ' || :mechanism || ' %'
ORDER BY f.date IS NULL, f.date, f.id
