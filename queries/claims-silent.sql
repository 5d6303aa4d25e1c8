-- title: Claims that nothing has happened on
-- why: The open field: published gaps that no feature, change or proposal since has touched, and where that was looked for
-- param paper = %: only this work, e.g. iron-2018
-- param mechanism = %: only claims about this mechanism, e.g. cg.memory, or a family such as ns.%
-- param reach = 365: only claims that were read on for at least so many days after the work
--
-- The rows that `claims-followed` calls silent, with what that rests on: `read_days` is for how many days after the work's
-- year something was read that shows each of the claim's mechanisms, `looked_in` where and for which time. `open` are features
-- without which the gap is there; `no_hit_of` are the claim's terms, none of which has a hit. Not seen: what no source
-- tells. Notes choose what they tell and a list has what was sent to it, so that a claim is silent in these, not in the world;
-- a claim whose sources were not read far enough is not here but under cannot tell.
SELECT id, paper, year, statement, kind, mechanisms, dimension, answer, open, read_days, looked_in, no_hit_of
FROM (
    SELECT f.claim AS id, f.paper, f.year, f.statement, f.kind, replace(f.mechanisms, ' ', ', ') AS mechanisms, f.dimension,
           f.answer, f.open, f.covered AS read_days, f.read_since AS looked_in,
           (SELECT group_concat(term, ', ') FROM (SELECT term FROM claim_terms WHERE claim = f.claim ORDER BY term))
               AS no_hit_of
    FROM claim_facts f
    WHERE f.paper LIKE :paper AND EXISTS (SELECT 1 FROM claim_mechanisms w
                                          WHERE w.claim = f.claim AND w.mechanism LIKE :mechanism)
          AND NOT (f.kind IN ('praise', 'design') AND f.answer = 'not applicable')
          AND f.published <> '' AND f.read_day > f.published AND f.has_labels AND NOT (f.answer = 'yes' AND f.bearing > 0)
          AND f.covered >= :reach AND f.landed + f.commits + f.notes + f.proposals + f.hits = 0
    UNION ALL
    SELECT NULL, NULL, NULL, 'No works are in this database; `kminer sync` takes them from the catalogue.', NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM papers)
)
ORDER BY year, id
