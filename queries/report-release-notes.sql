-- title: What release notes say of one release
-- why: What a project told its users of a release, note by note, and whether a commit can be named for it
-- param project = docker: the project whose notes
-- param version: the version, e.g. 20.10.0
-- param tied = %: named, title, or no: only notes tied so (% stands for all)
--
-- A note that several pages tell stands once. A final release's notes are also those of its candidates. `tied` is
-- `named` where note and change name each other (by id, pull request, issue or CVE), `title` where only their titles
-- are alike, `no` where no change in this database is known. Notes that were edited or moved are left out.
WITH told AS MATERIALIZED (
    SELECT n.id, n.source, n.place, n.said, n.section, n.form, n.sign, n.line, n.date, n.seen_until, n.gone,
           row_number() OVER (PARTITION BY n.id ORDER BY n.gone <> '', n.source, n.place, n.line, n.section) AS rank
    FROM notes n
    WHERE n.project = :project AND n.gone NOT IN ('edited', 'moved')
          AND (coalesce(n.upstream, n.version) = :version
               OR substr(coalesce(n.upstream, n.version), 1, length(:version) + 1) = :version || '-')
          AND n.id NOT IN (SELECT change_id FROM off_topic)
),
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms
          WHERE change_id IN (SELECT id FROM told) ORDER BY change_id, mechanism)
    GROUP BY change_id
),
tied_to AS MATERIALIZED (
    SELECT note_id, max(tied_by <> 'title') AS named, max(score) AS score
    FROM ties WHERE note_id IN (SELECT id FROM told) GROUP BY note_id
),
answer AS (
    SELECT t.said, t.section, t.sign, t.form, (SELECT label FROM labels WHERE change_id = t.id AND axis = 'kind') AS kind,
           (SELECT group_concat(label, ', ') FROM (
                SELECT label FROM labels WHERE change_id = t.id AND axis = 'flag' ORDER BY label)) AS flags,
           m.mechanisms, substr(c.key, 1, 12) AS id, c.title,
           CASE WHEN y.named = 1 THEN 'named' WHEN y.named = 0 THEN 'title' ELSE 'no' END AS tied, y.score,
           (SELECT group_concat(value, ' ') FROM (
                SELECT value FROM refs WHERE change_id = t.id AND type = 'cve' ORDER BY value)) AS cves,
           (SELECT group_concat(value, ' ') FROM (
                SELECT value FROM refs WHERE change_id = t.id AND type IN ('pull-request', 'issue') ORDER BY value)) AS pulls,
           (SELECT min(value) FROM refs WHERE change_id = t.id AND type = 'message-id') AS message_id,
           (SELECT group_concat(title, ' / ') FROM (
                SELECT o.title FROM refs r JOIN changes o ON o.key = r.target AND o.type = 'note' AND o.source = c.source
                WHERE r.change_id = t.id AND r.type = 'part-of' ORDER BY o.key)) AS below,
           EXISTS (SELECT 1 FROM withheld w WHERE w.change_id = t.id) AS withheld,
           t.gone, t.seen_until, t.date,
           (SELECT group_concat(source, ' ') FROM (SELECT DISTINCT source FROM told o WHERE o.id = t.id ORDER BY source)) AS told_by,
           t.source, t.place, t.line
    FROM told t
    JOIN changes c ON c.id = t.id
    LEFT JOIN mechanisms_of m ON m.change_id = t.id
    LEFT JOIN tied_to y ON y.note_id = t.id
    WHERE t.rank = 1
)
SELECT * FROM answer WHERE tied LIKE :tied ORDER BY source, place, line, id
