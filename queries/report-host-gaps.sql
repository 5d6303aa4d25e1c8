-- title: Published gaps on a probed host
-- why: Which published gaps this host's kernel answers, and which it does not: claims joined with what was found on it
-- param host: a saved host (query hosts lists them)
-- param all = 0: 1 shows also claims all of whose answers are there
--
-- Claims of works about something missing or slow, with the kernel features that bear on them by the catalogue: those that
-- were found available here, and those that were not, each with its verdict. That a feature is there does not mean that it
-- is used, nor that it answers the claim wholly: `answer` is how far the catalogue judges that. Claims without such features,
-- and features that were not asked, are not here.
WITH
bearing AS (
    SELECT q.id, q.paper, q.statement, q.kind, q.mechanisms, q.answer, f.feature, f.verdict
    FROM claims q
    JOIN claim_features a ON a.claim = q.id AND a.role = 'answers'
    JOIN findings f ON f.feature = a.feature AND f.host = :host
    WHERE q.kind IN ('gap', 'cost')
),
told AS (
    SELECT id, paper, statement, kind, mechanisms, answer, sum(verdict = 'available') AS there, count(*) AS asked,
           group_concat(CASE verdict WHEN 'available' THEN feature END, ', ') AS available,
           group_concat(CASE WHEN verdict <> 'available' THEN feature || ' (' || verdict || ')' END, ', ') AS lacking
    FROM (SELECT * FROM bearing ORDER BY id, feature)
    GROUP BY id
)
SELECT t.id, t.statement, p.year, t.kind, replace(t.mechanisms, ' ', ', ') AS mechanisms, t.answer, t.there, t.asked,
       t.available, t.lacking
FROM told t JOIN papers p ON p.id = t.paper
WHERE t.there < t.asked OR :all <> 0
ORDER BY 1.0 * t.there / t.asked, t.asked DESC, t.id
