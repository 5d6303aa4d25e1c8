-- title: Mechanism labels that only one voter spoke for
-- why: Leads to check by hand: labels that rest on a path, a word or the model alone
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param voter = %: only this voter: path, prefix, title, text or model
-- param limit = 100: how many at most, least sure first; -1 for all
--
-- A vote of 0.5 and more speaks for a label. Labels by hand are checked already. Release notes are among them: few words, so that
-- one voter is common there.
WITH
-- CROSS JOIN: read the labels once, look their few votes up.
alone AS MATERIALIZED (
    SELECT l.change_id, l.label, l.score AS probability, max(v.voter) AS voter, max(v.score) AS score,
           max(v.evidence) AS evidence
    FROM labels l
    CROSS JOIN votes v ON v.change_id = l.change_id AND v.axis = l.axis AND v.label = l.label
    WHERE l.axis = 'mechanism' AND l.given_by <> 'hand' AND l.label LIKE :mechanism AND v.score >= 0.5
    GROUP BY l.change_id, l.label
    HAVING count(*) = 1
)
SELECT a.label AS mechanism, a.voter, a.score, a.probability, a.evidence, c.type,
       substr(c.key, 1, 12) AS id, c.title, nullif(replace(s.commit_url, '{id}', c.key), '') AS link
FROM alone a
JOIN changes c ON c.id = a.change_id
JOIN sources s ON s.id = c.source
WHERE s.project = :project AND c.reachable = 1 AND a.voter LIKE :voter
      AND (c.type IN ('commit', 'merge', 'pull') OR c.id IN (SELECT change_id FROM note_places
                                        WHERE seen_until IS NULL OR gone = 'page removed'))
ORDER BY a.probability, c.date DESC, c.key, a.label
LIMIT :limit
