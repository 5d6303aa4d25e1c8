-- title: Proposals and what became of them
-- why: Every series of patches that was posted: how often, by whom, what was last said, whether it was merged
-- param project = linux: linux, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param verdict = %: merged, merged in another form, superseded, never merged, pending or cannot tell
-- param words = %: only titles like this, e.g. %freezer%
-- param since = 0001-01-01: only series whose newest version was posted on this day or later
-- param limit = 100: how many at most, newest first; -1 for all
--
-- Versions are put together by title, author, links, replies and common patches; one under another title, by other
-- means, counts as a series of its own. What was merged is known from the evidence that `seen_in` names; a patch that
-- was merged under another title, or through a history that was not read, looks unmerged. Mechanisms are the labels of
-- the patches; patches that are not labelled have none.
WITH
asked AS MATERIALIZED (
    SELECT p.id, p.last_date, p.key FROM series p JOIN sources s ON s.id = p.source
    WHERE s.project = :project AND p.verdict LIKE :verdict AND p.title LIKE :words AND date(p.last_date) >= :since
          AND (:mechanism = '%' OR p.id IN (SELECT series_id FROM series_labels
                                            WHERE axis = 'mechanism' AND label LIKE :mechanism))
    ORDER BY p.last_date DESC, p.key
    LIMIT :limit
)
SELECT p.key AS id, p.verdict, p.confidence, p.title, p.author, p.postings, p.version, p.patches, p.rfc, p.authors,
       p.first_day, p.last_day, p.span_days, p.people, p.replies, p.reviews, p.mechanisms, p.why, p.last_word_day,
       p.last_word_by, p.last_word, p.superseded_by, p.seen_in, p.link
FROM asked a CROSS JOIN proposals p ON p.id = a.id
ORDER BY a.last_date DESC, a.key
