-- title: Works and the features that bear on their claims
-- why: When a work appeared, and when what answers it was released
-- param paper = %: only this work
-- param in_note = 0: 1: only works that the reading note names
--
-- A work stands at the last day of its year (one without year at the day from which it is followed), a feature at the day
-- of its first release. Features without a known day are left out.
SELECT paper, day, event, text, days_after
FROM (
    SELECT p.id AS paper, p.published AS day, 'published' AS event, CASE p.year WHEN 0 THEN 'named by the survey' ELSE 'published' END AS text, 0 AS days_after
    FROM papers p
    WHERE p.id LIKE :paper AND (:in_note = 0 OR p.in_note = 1) AND p.published <> ''
          AND EXISTS (SELECT 1 FROM claims q JOIN landed_features a ON a.claim = q.id
                      WHERE q.paper = p.id AND a.role = 'answers' AND a.day IS NOT NULL)
    UNION ALL
    SELECT DISTINCT p.id, a.day, 'landed', a.feature || ' (' || a.since || ')', a.days_after
    FROM papers p JOIN claims q ON q.paper = p.id JOIN landed_features a ON a.claim = q.id AND a.role = 'answers'
    WHERE p.id LIKE :paper AND (:in_note = 0 OR p.in_note = 1) AND p.published <> '' AND a.day IS NOT NULL
)
ORDER BY paper, day, event DESC, text
