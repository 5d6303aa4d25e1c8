-- title: What the database holds of release notes
-- why: Which pages were read, and how many of their notes can be traced to a change, before trusting any share
-- param project = %: only this project's
--
-- A note that several sources tell counts for each of them. Commits are those that its ties name, by id, pull
-- request, issue or CVE; `by_title`: by likeness of titles only.
WITH told AS MATERIALIZED (
    SELECT DISTINCT p.source, p.change_id FROM note_places p WHERE p.gone NOT IN ('edited', 'moved')
),
tied_to AS MATERIALIZED (SELECT note_id, max(tied_by <> 'title') AS named FROM ties GROUP BY note_id),
counted AS MATERIALIZED (
    SELECT t.source, count(*) AS notes, count(o.change_id) AS off_topic, count(k.change_id) AS labelled,
           sum(o.change_id IS NULL AND y.named = 1) AS named, sum(o.change_id IS NULL AND y.named = 0) AS by_title
    FROM told t
    LEFT JOIN off_topic o ON o.change_id = t.change_id
    LEFT JOIN classifications k ON k.change_id = t.change_id
    LEFT JOIN tied_to y ON y.note_id = t.change_id
    GROUP BY t.source
)
SELECT s.id AS source, s.project, s.title, s.kind, s.commits AS pages, coalesce(n.notes, 0) AS notes,
       coalesce(n.labelled, 0) AS labelled, coalesce(n.off_topic, 0) AS off_topic,
       coalesce(n.notes, 0) - coalesce(n.off_topic, 0) AS relevant, coalesce(n.named, 0) AS named,
       coalesce(n.by_title, 0) AS by_title, date(s.newest) AS newest_note,
       (SELECT r.tag FROM releases r WHERE r.source = s.id ORDER BY r.position LIMIT 1) AS oldest_release,
       (SELECT r.tag FROM releases r WHERE r.source = s.id ORDER BY r.position DESC LIMIT 1) AS newest_release
FROM sources s
LEFT JOIN counted n ON n.source = s.id
WHERE s.synced_at IS NOT NULL AND s.kind NOT IN ('git', 'demo', 'mailing-list', 'merged-titles') AND s.project LIKE :project
ORDER BY s.project <> 'linux', s.project <> 'docker', s.project, s.id
