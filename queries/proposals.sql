-- title: Proposals and what became of them
-- why: Every series of patches that was posted: how often, by whom, what was last said, whether it was merged
-- param project = linux: linux, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param verdict = %: merged, merged in another form, superseded, never merged or pending
-- param words = %: only titles like this, e.g. %freezer%
-- param since = 0001-01-01: only series whose newest version was posted on this day or later
-- param limit = 100: how many at most, newest first; -1 for all
--
-- Versions are put together by title, author, links, replies and common patches; one under another title, by other
-- means, counts as a series of its own. What was merged is known from the evidence that `seen_in` names; a patch that
-- was merged under another title, or through a history that was not read, looks unmerged. Mechanisms are the labels of
-- the patches; patches that are not labelled have none.
SELECT id, verdict, confidence, title, author, postings, version, patches, rfc, authors, first_day, last_day, span_days,
       people, replies, reviews, mechanisms, why, last_word_day, last_word_by, last_word, superseded_by, seen_in, link
FROM (
    SELECT p.key AS id, p.*
    FROM proposals p
    WHERE p.project = :project AND p.verdict LIKE :verdict AND p.title LIKE :words AND p.last_day >= :since
          AND (:mechanism = '%'
               OR EXISTS (SELECT 1 FROM postings o JOIN mails m ON m.posting_id = o.id
                          JOIN labels l ON l.change_id = m.change_id AND l.axis = 'mechanism'
                          WHERE o.series_id = p.id AND l.label LIKE :mechanism))
    ORDER BY p.last_day DESC, p.key
    LIMIT :limit
)
