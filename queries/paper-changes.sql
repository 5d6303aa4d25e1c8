-- title: Changes with the terms of a work's claims
-- why: Where the words of a work turn up: every commit, note and patch since with a term of one of its claims
-- param paper: the work, e.g. iron-2018
-- param claim = %: only this claim, e.g. iron-2018.1
-- param type = %: only this type of change: commit, merge, pull, note, patch or cover
-- param subject = 0: 1 shows only changes that also have one of the claim's mechanisms and its dimension
-- param limit = 100: how many at most, newest first; -1 for all
--
-- A row a claim and change, `terms` being those found: phrases of stemmed words anywhere in title or text. A term says that
-- the words are there, not what is said of them. Left out are changes that were found not to be about isolation, picks of
-- held commits, and notes that were edited or dropped. A claim without a hit has a row that says so, with how far its
-- sources were read.
WITH
hits AS (
    SELECT e.claim, e.day, e.days_after, e.type, e.source, e.short, e.kind, e.title, e.on_subject,
           (SELECT group_concat(term, ', ') FROM (SELECT f.term FROM claim_changes f
                                                  WHERE f.claim = e.claim AND f.change_id = e.change_id ORDER BY f.term))
               AS terms
    FROM claim_evidence e
    WHERE e.claim IN (SELECT id FROM claims WHERE paper LIKE :paper AND id LIKE :claim) AND e.by_term = 1
          AND e.type LIKE :type AND (:subject = 0 OR e.on_subject = 1)
)
SELECT claim_id, day, days_after, type, source, id, kind, terms, title, on_subject
FROM (
    SELECT claim AS claim_id, day, days_after, type, source, short AS id, kind, terms, title, on_subject FROM hits
    UNION ALL
    SELECT q.id, NULL, NULL, NULL, NULL, NULL, NULL,
           (SELECT group_concat(term, ', ') FROM (SELECT term FROM claim_terms WHERE claim = q.id ORDER BY term)),
           'no evidence in the data read (' || coalesce(
               (SELECT group_concat(source || ' up to ' || coalesce(release || ', ', '') || last_day, '; ') FROM (
                    SELECT DISTINCT source, release, last_day FROM claim_sources
                    WHERE claim = q.id AND last_day IS NOT NULL ORDER BY source)), 'none') || ')', NULL
    FROM claims q
    WHERE q.paper LIKE :paper AND q.id LIKE :claim AND q.id NOT IN (SELECT claim FROM hits)
)
ORDER BY day IS NOT NULL, day DESC, claim_id, id
LIMIT :limit
