-- title: Reverts
-- why: What was taken back, how soon, and whether it was tried again
-- param project = linux: linux, docker, or another source's project
-- param limit = 100: how many at most, newest first; -1 for all
WITH
reverted AS MATERIALIZED (
    SELECT v.source, v.id, v.key, v.date, v.title, coalesce(v.first_final, v.first_rc) AS release, s.commit_url,
           f.value, b.key AS was_key, b.date AS was_date, b.title AS was_title, b.author_date AS was_written,
           coalesce(b.first_final, b.first_rc) AS was_release
    FROM changes v
    JOIN sources s ON s.id = v.source
    JOIN refs f ON f.change_id = v.id AND f.type = 'reverts'
    LEFT JOIN changes b ON b.source = v.source AND b.key = f.target
    WHERE s.project = :project AND v.reachable = 1 AND v.type IN ('commit', 'merge', 'pull')
          AND v.id NOT IN (SELECT change_id FROM off_topic)
),
-- A new attempt has the old title, or says that it reapplies it.
wanted AS MATERIALIZED (
    SELECT source, id, was_key, was_title AS title, date, was_written FROM reverted WHERE was_key IS NOT NULL
    UNION ALL
    SELECT source, id, was_key, 'Reapply "' || was_title || '"', date, was_written FROM reverted WHERE was_key IS NOT NULL
    UNION ALL
    SELECT source, id, was_key, 'Revert "Revert "' || was_title || '""', date, was_written
    FROM reverted WHERE was_key IS NOT NULL
),
-- It comes later. A pick of the old commit to another branch has its title, too, but also its author date or a
-- note of where it comes from. CROSS JOIN: read the changes once, look each title up.
again AS (
    SELECT w.id, w.was_key, a.key, coalesce(a.first_final, a.first_rc) AS release,
           row_number() OVER (PARTITION BY w.id, w.was_key ORDER BY a.date, a.key) AS rank
    FROM sources s
    CROSS JOIN changes a ON a.source = s.id
    CROSS JOIN wanted w ON w.title = a.title AND w.source = a.source
    WHERE s.project = :project AND a.reachable = 1 AND a.date > w.date AND a.author_date <> w.was_written
          AND NOT EXISTS (SELECT 1 FROM refs b WHERE b.change_id = a.id AND b.type = 'backport-of')
)
SELECT date(r.date) AS date, r.release, substr(r.key, 1, 12) AS id, r.title,
       substr(coalesce(r.was_key, r.value), 1, 12) AS reverted_id, r.was_title AS reverted,
       r.was_release AS reverted_release,
       CAST(round(julianday(r.date) - julianday(r.was_date)) AS INTEGER) AS days,
       substr(a.key, 1, 12) AS again_id, a.release AS again_release, replace(r.commit_url, '{id}', r.key) AS link
FROM reverted r
LEFT JOIN again a ON a.id = r.id AND a.was_key = r.was_key AND a.rank = 1
ORDER BY r.date DESC, r.key, reverted_id
LIMIT :limit
