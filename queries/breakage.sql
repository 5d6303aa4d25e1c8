-- title: Share of fixes per mechanism
-- why: What keeps breaking: how much of the work on each mechanism is mending, by label or, without one, by words
-- param project = linux: linux, docker, or another source's project
-- param since = 0: only commits of this year and later
WITH
-- Once a change: the references that tell.
told AS MATERIALIZED (
    SELECT change_id, max(type = 'fixes') AS fixes, max(type = 'reverts') AS reverts, max(type = 'stable') AS stable
    FROM refs WHERE type IN ('fixes', 'reverts', 'stable')
    GROUP BY change_id
),
commits AS MATERIALIZED (
    SELECT c.id, coalesce(t.fixes, 0) AS fixes, coalesce(t.reverts, 0) AS reverts, coalesce(t.stable, 0) AS stable,
           -- As a word of its own: not "prefix" or "suffix".
           (' ' || lower(c.title) || ' ') GLOB '*[^a-z]fix[ :]*' OR (' ' || lower(c.title)) GLOB '*[^a-z]fix[ei][sn]*'
           OR lower(c.title) GLOB 'fixed *' OR lower(c.title) GLOB '*bugfix*' AS titled,
           -- NULL where not labelled.
           k.label = 'bug' AS bug
    FROM changes c
    JOIN sources s ON s.id = c.source
    LEFT JOIN told t ON t.change_id = c.id
    LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
)
SELECT coalesce(m.mechanism, '(no mechanism)') AS mechanism, count(*) AS commits, sum(c.bug) AS labelled_bug,
       sum(c.titled) AS titled_fix, sum(c.fixes) AS with_fixes_line, sum(c.reverts) AS reverts,
       sum(c.stable) AS for_stable,
       round(100.0 * sum(coalesce(c.bug, c.titled OR c.fixes) OR c.reverts) / count(*), 1) AS percent_mending
FROM commits c
LEFT JOIN change_mechanisms m ON m.change_id = c.id
GROUP BY 1
ORDER BY percent_mending DESC, commits DESC, mechanism
