-- title: Proposals that came again and again and were never merged
-- why: What somebody wanted badly enough to post three times, or several people asked for, and nobody got in
-- param project = linux: linux, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param postings = 3: posted at least so often
-- param people = 2: or as RFC by at least so many people, under much the same title
-- param kind = %: only series with a patch of this kind: feature, bug, performance, reliability or maintenance
-- param limit = 100: how many at most, per mechanism the most wanted first; -1 for all
--
-- One row a series and mechanism; a series of several mechanisms stands below each. `people` counts who posted or answered,
-- `wanted_by` who posted it or an RFC like it. Never merged means: not found in the evidence that `seen_in` names. A
-- series whose idea was merged under other titles and by other hands looks unmerged; `last_word` and the archive tell. What
-- was never posted to an archive that is read is not seen, nor is what a maintainer refused off the list.
WITH
unmerged AS MATERIALIZED (SELECT * FROM unmerged_series WHERE project = :project),
wanted AS MATERIALIZED (
    SELECT * FROM unmerged WHERE postings >= :postings OR (rfc > 0 AND wanted_by >= :people)
),
of_series AS MATERIALIZED (
    SELECT * FROM series_labels WHERE axis IN ('mechanism', 'kind') AND series_id IN (SELECT id FROM wanted)
),
kinds AS (
    SELECT series_id, label AS kind,
           row_number() OVER (PARTITION BY series_id ORDER BY patches DESC, label) AS rank
    FROM of_series WHERE axis = 'kind'
)
SELECT coalesce(m.label, '(not labelled)') AS mechanism, w.title, k.kind, w.postings, w.rfc, w.wanted_by,
       date(w.first_date) AS first_day, date(w.last_date) AS last_day, w.span_days, w.people, w.replies, w.reviews,
       date(w.last_word_date) AS last_word_day, w.last_word_by, w.last_word, w.why, w.confidence, w.key AS id,
       w.last_word_key AS last_word_id, w.kin AS like_it, w.seen_in, replace(s.commit_url, '{id}', w.key) AS link
FROM wanted w
JOIN sources s ON s.id = w.source
LEFT JOIN of_series m ON m.series_id = w.id AND m.axis = 'mechanism'
LEFT JOIN kinds k ON k.series_id = w.id AND k.rank = 1
WHERE (:mechanism = '%' OR m.label LIKE :mechanism)
      AND (:kind = '%' OR EXISTS (SELECT 1 FROM of_series o
                                  WHERE o.series_id = w.id AND o.axis = 'kind' AND o.label LIKE :kind))
ORDER BY m.label IS NULL, m.label, w.postings DESC, w.wanted_by DESC, w.span_days DESC, w.key
LIMIT :limit
