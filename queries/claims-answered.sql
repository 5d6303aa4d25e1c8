-- title: Claims that were answered, and how long it took
-- why: From a published gap to a released feature: what answered it, in which release, after how many days
-- param paper = %: only this work, e.g. iron-2018
-- param mechanism = %: only claims about this mechanism, e.g. cg.memory, or a family such as ns.%
-- param partly = 0: 1 shows also claims that are answered in part
--
-- A row a claim and feature: claims that the catalogue judges as answered, features that bear on them by the catalogue and
-- were released. `days` run from the last day of the work's year to the feature's first release: below 0, it was there
-- before. `brought_by_id` is the oldest commit that brought it, where it is held. Not seen: whether authors would call their
-- claim answered, and whether a feature came because of a work. What `claims-followed` cannot tell for want of reading is
-- here, too: release and day are the catalogue's.
WITH
brought AS (
    SELECT m.feature, substr(c.key, 1, 12) AS id, min(c.date || c.key) AS oldest
    FROM feature_mentions m JOIN changes c ON c.id = m.change_id
    WHERE m.mentioned_by = 'commit' AND c.type = 'commit' AND c.reachable = 1
    GROUP BY m.feature
)
SELECT id, paper, year, statement, kind, answer, feature_id, title, release, release_date, days, confidence, brought_by_id
FROM (
    SELECT q.id, q.paper, p.year, q.statement, q.kind, q.answer, l.feature AS feature_id, l.title, l.since AS release,
           l.day AS release_date, l.days_after AS days, l.confidence, b.id AS brought_by_id
    FROM claims q
    JOIN papers p ON p.id = q.paper
    JOIN landed_features l ON l.claim = q.id AND l.role = 'answers' AND l.since IS NOT NULL
    LEFT JOIN brought b ON b.feature = l.feature
    WHERE (q.answer = 'yes' OR :partly <> 0 AND q.answer = 'partly') AND q.paper LIKE :paper
          AND EXISTS (SELECT 1 FROM claim_mechanisms w WHERE w.claim = q.id AND w.mechanism LIKE :mechanism)
    UNION ALL
    SELECT NULL, NULL, NULL, 'No works are in this database; `kminer sync` takes them from the catalogue.', NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM papers)
)
ORDER BY days IS NULL, days, id, feature_id
