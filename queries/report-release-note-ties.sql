-- title: The changes that the notes of one release are tied to
-- why: Which commits stand behind each sentence of the release notes, and on what evidence
-- param project = docker: the project whose notes
-- param version: the version, e.g. 20.10.0
--
-- One line for a note and a change: the strongest tie between them. Score 1 and not by title: they name each other.
WITH told AS MATERIALIZED (
    SELECT DISTINCT n.id
    FROM notes n
    WHERE n.project = :project AND n.gone NOT IN ('edited', 'moved')
          AND (coalesce(n.upstream, n.version) = :version
               OR substr(coalesce(n.upstream, n.version), 1, length(:version) + 1) = :version || '-')
          AND n.id NOT IN (SELECT change_id FROM off_topic)
),
best AS (
    SELECT t.*, row_number() OVER (
               PARTITION BY t.note_id, t.change_id ORDER BY t.tied_by = 'title', t.tied_by = 'cve', t.score DESC, t.tied_by
           ) AS rank
    FROM ties t WHERE t.note_id IN (SELECT id FROM told)
)
SELECT substr(n.key, 1, 12) AS note, b.tied_by, b.score, b.evidence, c.source, s.project, c.type,
       coalesce(c.first_final, c.first_rc) AS release, substr(c.key, 1, 12) AS id, c.title,
       replace(s.commit_url, '{id}', c.key) AS link
FROM best b
JOIN changes n ON n.id = b.note_id
JOIN changes c ON c.id = b.change_id
JOIN sources s ON s.id = c.source
WHERE b.rank = 1 AND c.reachable = 1
ORDER BY n.key, s.project <> :project, b.tied_by = 'title', b.tied_by = 'cve', c.type <> 'commit', b.score DESC, c.date, c.key
