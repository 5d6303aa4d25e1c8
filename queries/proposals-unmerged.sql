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
unmerged AS MATERIALIZED (
    SELECT p.*, s.project,
           (SELECT count(DISTINCT o.author_email) FROM series o
            WHERE o.key = p.key OR instr(' ' || p.kin || ' ', ' ' || o.key || ' ') > 0) AS wanted_by
    FROM series p JOIN sources s ON s.id = p.source
    WHERE p.verdict = 'never merged' AND s.project = :project
),
wanted AS MATERIALIZED (
    SELECT * FROM unmerged WHERE postings >= :postings OR (rfc > 0 AND max(wanted_by, authors) >= :people)
),
of_mechanism AS (
    SELECT DISTINCT w.id, coalesce(l.label, '(not labelled)') AS mechanism
    FROM wanted w
    JOIN postings o ON o.series_id = w.id
    JOIN mails m ON m.posting_id = o.id AND m.change_id IS NOT NULL
    LEFT JOIN labels l ON l.change_id = m.change_id AND l.axis = 'mechanism'
),
kinds AS (
    SELECT w.id, l.label AS kind, row_number() OVER (PARTITION BY w.id ORDER BY count(*) DESC, l.label) AS rank
    FROM wanted w
    JOIN postings o ON o.series_id = w.id
    JOIN mails m ON m.posting_id = o.id
    JOIN labels l ON l.change_id = m.change_id AND l.axis = 'kind'
    GROUP BY w.id, l.label
)
SELECT f.mechanism, w.title, k.kind, w.postings, w.rfc, max(w.wanted_by, w.authors) AS wanted_by, date(w.first_date) AS first_day,
       date(w.last_date) AS last_day, w.span_days, w.people, w.replies, w.reviews, date(w.last_word_date) AS last_word_day,
       w.last_word_by, w.last_word, w.why, w.confidence, w.key AS id, w.last_word_key AS last_word_id, w.kin AS like_it,
       w.seen_in, replace(s.commit_url, '{id}', w.key) AS link
FROM of_mechanism f
JOIN wanted w ON w.id = f.id
JOIN sources s ON s.id = w.source
LEFT JOIN kinds k ON k.id = w.id AND k.rank = 1
WHERE (f.mechanism LIKE :mechanism AND (f.mechanism <> '(not labelled)'
                                       OR NOT EXISTS (SELECT 1 FROM of_mechanism g
                                                      WHERE g.id = f.id AND g.mechanism <> '(not labelled)')))
      AND (:kind = '%' OR EXISTS (SELECT 1 FROM kinds o WHERE o.id = w.id AND o.kind LIKE :kind))
ORDER BY f.mechanism, w.postings DESC, wanted_by DESC, w.span_days DESC, w.key
LIMIT :limit
