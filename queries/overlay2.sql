-- title: overlay2 and overlayfs in the engine, release by release
-- why: How the storage driver that nearly everybody uses came to be and what was mended in it
-- param project = docker: docker, containerd, or another source's project
-- param limit = -1: how many at most, oldest first; -1 for all
--
-- Commits and merges; what release notes say of it: `notes` with words=%overlay%.
WITH
-- Not just "overlay", nor "overlay driver": a network driver has that name, too.
evidence AS (
    SELECT c.id, 0 AS path, 1 AS text
    FROM changes c JOIN sources s ON s.id = c.source
    WHERE s.project = :project
          AND (c.text LIKE '%overlay2%' OR c.text LIKE '%overlayfs%' OR c.text LIKE '%overlay graph%'
               OR c.text LIKE '%overlay storage%' OR c.text LIKE '%overlay snapshotter%'
               OR c.text LIKE '%graphdriver/overlay%' OR c.text LIKE '%snapshots/overlay%')
    UNION ALL
    SELECT p.change_id, 1, 0
    FROM change_paths p
    WHERE p.path LIKE '%graphdriver/overlay%' OR p.path LIKE '%snapshots/overlay%' OR p.path LIKE 'snapshot/overlay%'
          OR p.path LIKE 'fs/overlayfs/%' OR p.path LIKE 'daemon/daemon_overlay%'
),
found AS (
    SELECT id, CASE WHEN max(path) AND max(text) THEN 'path and text' WHEN max(path) THEN 'path' ELSE 'text' END AS evidence
    FROM evidence GROUP BY id
)
SELECT coalesce(c.first_final, c.first_rc) AS release, date(c.date) AS date, c.type, substr(c.key, 1, 12) AS id, c.title,
       f.evidence, c.author, replace(s.commit_url, '{id}', c.key) AS link
FROM found f
JOIN changes c ON c.id = f.id
JOIN sources s ON s.id = c.source
LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
WHERE s.project = :project AND c.reachable = 1 AND c.type IN ('commit', 'merge', 'pull') AND c.id NOT IN (SELECT change_id FROM off_topic)
ORDER BY r.position IS NULL, r.position, c.date, c.key
LIMIT :limit
