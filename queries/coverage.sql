-- title: How much of each release its notes tell
-- why: Whether release notes can be trusted to tell what changed: the share of relevant commits that some note is tied to
-- param project = docker: docker, runc, linux, or another source's project
-- param series = %: only releases of this line, e.g. 20.10 or 27 (% stands for anything)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param likeness = 0: least likeness of titles, in percent, for a tie by title to count; 101: such ties do not count
--
-- A commit is told when a note of the project, of whatever release, is tied to it: by commit id, pull request, issue or CVE,
-- or, `by_title` only, by its words. Commits of a release of which the store holds no note have no share: unread, not silent.
-- "(all)" sums the releases with notes. Not seen: ties to repositories that are not held (`notes-without-commit`), and
-- what a note tells in its own words: the true share is higher. Not every commit needs a note: see the column of features.
WITH
standing AS MATERIALIZED (
    SELECT DISTINCT n.id, n.history, n.release
    FROM notes n WHERE n.project = :project AND (n.seen_until IS NULL OR n.gone = 'page removed')
),
held AS MATERIALIZED (SELECT history, release, count(*) AS notes FROM standing GROUP BY history, release),
told AS MATERIALIZED (
    SELECT t.change_id, max(t.tied_by <> 'title') AS named FROM ties t JOIN standing n ON n.id = t.note_id
    WHERE t.tied_by <> 'title' OR 100 * t.score >= :likeness
    GROUP BY t.change_id
),
commits AS MATERIALIZED (
    SELECT r.source, r.tag, r.position, date(r.date) AS day, coalesce(n.notes, 0) AS notes, t.named, k.label AS kind
    FROM changes c
    JOIN sources s ON s.id = c.source
    JOIN releases r ON r.source = c.source AND r.tag = c.first_final
    LEFT JOIN held n ON n.history = r.source AND n.release = r.tag
    LEFT JOIN told t ON t.change_id = c.id
    LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
    WHERE s.project = :project AND s.kind IN ('git', 'demo') AND c.type = 'commit' AND c.reachable = 1
          AND r.series LIKE :series AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND (:mechanism = '%'
               OR c.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
),
grouped AS (
    SELECT source, tag, position, day, notes, named, kind FROM commits
    UNION ALL
    SELECT '', '(all)', -1, NULL,
           (SELECT sum(notes) FROM (SELECT DISTINCT source, tag, notes FROM commits)), named, kind
    FROM commits WHERE notes > 0
)
SELECT tag AS release, day AS date, notes, count(*) AS commits, count(named) AS told,
       coalesce(sum(named = 0), 0) AS by_title,
       CASE WHEN notes > 0 THEN round(100.0 * count(named) / count(*), 1) END AS percent_told,
       sum(kind IS 'feature') AS features, sum(kind IS 'feature' AND named IS NOT NULL) AS features_told,
       sum(kind IS 'bug') AS bugs, sum(kind IS 'bug' AND named IS NOT NULL) AS bugs_told
FROM grouped
GROUP BY source, position, tag, day, notes
ORDER BY source, position
