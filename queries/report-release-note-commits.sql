-- title: Commits of one release, and whether release notes tell them
-- why: What was done in a release, beside what its notes say of it
-- param source = docker: the history that holds the release
-- param release: its tag, e.g. v20.10.0
-- param told = %: named, title, or no: only commits told so (% stands for all)
--
-- What belongs to a release is what it is the first final release to contain; to a candidate, the first candidate.
-- Pulls are maintainers' summaries, which are told by themselves. `told_in` are the versions whose notes tell it.
WITH picked AS MATERIALIZED (
    SELECT c.id FROM changes c
    WHERE c.source = :source AND c.type IN ('commit', 'pull') AND c.reachable = 1
          AND (c.first_final = :release OR (c.first_rc = :release AND NOT EXISTS (
               -- What an earlier final release contains is no candidate's own.
               SELECT 1 FROM releases f JOIN releases r ON r.source = f.source AND r.tag = :release
               WHERE f.source = c.source AND f.tag = c.first_final AND f.position < r.position)))
          AND c.id NOT IN (SELECT change_id FROM off_topic)
),
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms
          WHERE change_id IN (SELECT id FROM picked) ORDER BY change_id, mechanism)
    GROUP BY change_id
),
told_by AS MATERIALIZED (
    SELECT t.change_id, max(t.tied_by <> 'title') AS named, max(t.score) AS score,
           (SELECT group_concat(version, ' ') FROM (
                SELECT DISTINCT coalesce(p.upstream, p.version) AS version
                FROM ties o JOIN note_places p ON p.change_id = o.note_id
                WHERE o.change_id = t.change_id ORDER BY version)) AS told_in
    FROM ties t
    WHERE t.change_id IN (SELECT id FROM picked)
    GROUP BY t.change_id
),
answer AS (
    SELECT date(c.date) AS date, c.type, CASE WHEN b.named = 1 THEN 'named' WHEN b.named = 0 THEN 'title' ELSE 'no' END AS told,
           b.score, b.told_in, (SELECT label FROM labels WHERE change_id = c.id AND axis = 'kind') AS kind,
           (SELECT group_concat(label, ', ') FROM (
                SELECT label FROM labels WHERE change_id = c.id AND axis = 'flag' ORDER BY label)) AS flags,
           m.mechanisms, substr(c.key, 1, 12) AS id, c.title, c.author,
           (SELECT pull FROM brought_by WHERE change_id = c.id) AS brought_by,
           (SELECT group_concat(value, ' ') FROM (
                SELECT value FROM refs WHERE change_id = c.id AND type = 'cve' ORDER BY value)) AS cves,
           EXISTS (SELECT 1 FROM refs WHERE change_id = c.id AND type IN ('fixes', 'reverts', 'stable', 'cve')) AS mends,
           (SELECT min(substr(value, 1, 12)) FROM refs WHERE change_id = c.id AND type = 'backport-of') AS backport_of,
           CASE WHEN c.type = 'pull' THEN c.text END AS text, replace(s.commit_url, '{id}', c.key) AS link, c.date AS moment
    FROM picked p
    JOIN changes c ON c.id = p.id
    JOIN sources s ON s.id = c.source
    LEFT JOIN mechanisms_of m ON m.change_id = c.id
    LEFT JOIN told_by b ON b.change_id = c.id
)
SELECT date, type, told, score, told_in, kind, flags, mechanisms, id, title, author, brought_by, cves, mends,
       backport_of, text, link
FROM answer WHERE told LIKE :told ORDER BY moment, id
