-- title: Features of the catalogue that a release's notes or commits name
-- why: Which capabilities, of the project itself or of the kernel, a release brings or speaks of
-- param project = docker: the project whose notes
-- param version: the version, e.g. 20.10.0
-- param source = docker: the history that holds the release
-- param release: its tag, e.g. v20.10.0
--
-- `mentioned_by`: commit, the catalogue names this commit; note, a note tied to such a commit; name, of another
-- project's feature, by its name.
WITH picked AS MATERIALIZED (
    SELECT n.id
    FROM notes n
    WHERE n.project = :project AND n.gone NOT IN ('edited', 'moved')
          AND (coalesce(n.upstream, n.version) = :version
               OR substr(coalesce(n.upstream, n.version), 1, length(:version) + 1) = :version || '-')
    UNION
    SELECT c.id FROM changes c
    WHERE c.source = :source AND c.type IN ('commit', 'merge', 'pull') AND c.reachable = 1
          AND (c.first_final = :release OR (c.first_rc = :release AND NOT EXISTS (
               -- What an earlier final release contains is no candidate's own.
               SELECT 1 FROM releases f JOIN releases r ON r.source = f.source AND r.tag = :release
               WHERE f.source = c.source AND f.tag = c.first_final AND f.position < r.position)))
)
SELECT f.project, f.id AS feature, f.title AS name, f.since, f.mechanisms, m.mentioned_by, m.evidence, c.type,
       substr(c.key, 1, 12) AS id, c.title, replace(s.commit_url, '{id}', c.key) AS link
FROM feature_mentions m
JOIN picked p ON p.id = m.change_id
JOIN features f ON f.id = m.feature
JOIN changes c ON c.id = m.change_id
JOIN sources s ON s.id = c.source
ORDER BY f.project <> :project, f.id, c.type, c.date, c.key, m.mentioned_by
