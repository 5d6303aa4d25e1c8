-- title: How much was read
-- why: Progress of your reading, by mechanism and release: how many changes there are, were read, marked, are left
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param release = %: only this release, e.g. v5.11, or a pattern such as v5.%
-- param begun = 0: 1 leaves out where nothing was read yet
-- param limit = 2000: how many rows at most; -1 for all
--
-- What `kminer read` shows without further options: commits and pulls of histories that count, in the order of their
-- releases. A change with several mechanisms is counted under each, so that only the row of all mechanisms adds up.
-- What was marked as not relevant counts as read until `kminer classify` takes it off the list.
WITH
due AS MATERIALIZED (
    SELECT q.id, q.source, q.key, coalesce(v.release, 'no release yet') AS release, v.position, v.release_date
    FROM counted_changes q CROSS JOIN changes_with_release v ON v.id = q.id
    WHERE q.project = :project AND q.type IN ('commit', 'pull')
          AND coalesce(v.release, 'no release yet') LIKE :release
),
stand AS MATERIALIZED (
    SELECT source, key, max(mark = 'interesting') AS interesting, max(mark = 'not relevant') AS not_relevant,
           sum(mark IN ('idea', 'note')) AS notes
    FROM marks GROUP BY source, key
),
named AS (
    SELECT d.id, coalesce(m.mechanism, '(no mechanism)') AS mechanism
    FROM due d LEFT JOIN change_mechanisms m ON m.change_id = d.id
    UNION ALL
    SELECT id, '(all)' FROM due
),
counted AS (
    SELECT n.mechanism, d.*, s.key IS NOT NULL AS done, s.interesting, s.not_relevant, s.notes
    FROM named n JOIN due d ON d.id = n.id LEFT JOIN stand s ON s.source = d.source AND s.key = d.key
    WHERE :mechanism = '%' OR n.mechanism LIKE :mechanism
),
summed AS (
    SELECT mechanism, source, release, position, date(release_date) AS date, count(*) AS changes, sum(done) AS done,
           sum(coalesce(interesting, 0)) AS interesting, sum(coalesce(not_relevant, 0)) AS not_relevant,
           sum(coalesce(notes, 0)) AS notes
    FROM counted GROUP BY mechanism, source, release
    UNION ALL
    SELECT mechanism, NULL, '(all)', -1, NULL, count(*), sum(done), sum(coalesce(interesting, 0)),
           sum(coalesce(not_relevant, 0)), sum(coalesce(notes, 0))
    FROM counted GROUP BY mechanism
)
SELECT mechanism, source, release, date, changes, done AS read, changes - done AS unread,
       round(100.0 * done / changes, 1) AS percent, interesting, not_relevant, notes
FROM summed
WHERE :begun = 0 OR done > 0
ORDER BY mechanism, position IS NULL, position, source
LIMIT :limit
