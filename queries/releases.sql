-- title: Releases and how much each brought
-- why: How busy each final release was: commits, summaries of subsystems, people, and how long it took
-- param project = linux: linux, docker, or another source's project
-- param series = %: only releases of this line, e.g. 2.6.30 or 20.10 (% stands for anything)
--
-- All that is kept counts, also what was found not to be about isolation.
WITH
final AS MATERIALIZED (
    SELECT r.source, r.tag, r.series, r.position, r.date,
           row_number() OVER (PARTITION BY r.source, r.series ORDER BY r.position) AS rank
    FROM releases r JOIN sources s ON s.id = r.source
    -- Not the versions that pages of release notes name: their tags would be counted again.
    WHERE s.project = :project AND s.kind IN ('git', 'demo') AND r.kind = 'final'
),
-- A point release comes after the one before it in its series, a new series after the first of the last series.
steps AS (
    SELECT source, tag, lag(tag) OVER (PARTITION BY source ORDER BY position) AS after_tag
    FROM final WHERE rank = 1
    UNION ALL
    SELECT f.source, f.tag, b.tag
    FROM final f JOIN final b ON b.source = f.source AND b.series = f.series AND b.rank = f.rank - 1
),
counts AS (
    SELECT c.source, c.first_final AS tag, count(*) AS changes, sum(c.type = 'commit') AS commits,
           sum(c.type = 'merge') AS merges, sum(c.type = 'pull') AS pulls,
           count(DISTINCT CASE WHEN c.type = 'commit' THEN coalesce(nullif(c.author, ''), c.author_email) END) AS people
    FROM changes c JOIN sources s ON s.id = c.source
    WHERE s.project = :project AND c.type IN ('commit', 'merge', 'pull') AND c.reachable = 1 AND c.first_final IS NOT NULL
    GROUP BY c.source, c.first_final
)
SELECT r.source, r.tag AS release, date(r.date) AS date, w.after_tag AS after,
       -- Tags made anew long afterwards bear a late date: then there are no days to tell.
       CASE WHEN r.date >= p.date THEN CAST(round(julianday(r.date) - julianday(p.date)) AS INTEGER) END AS days,
       coalesce(n.changes, 0) AS changes, coalesce(n.commits, 0) AS commits, coalesce(n.merges, 0) AS merges,
       coalesce(n.pulls, 0) AS pulls, coalesce(n.people, 0) AS people
FROM final r
JOIN steps w ON w.source = r.source AND w.tag = r.tag
LEFT JOIN final p ON p.source = r.source AND p.tag = w.after_tag
LEFT JOIN counts n ON n.source = r.source AND n.tag = r.tag
WHERE r.series LIKE :series
ORDER BY r.source, r.position
