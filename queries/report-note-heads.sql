-- title: The heads that each source was read at
-- why: What a figure was drawn from, so that it can be cited and drawn again
--
-- Release notes that were read as pages, not from a clone, have none.
SELECT r.source, s.project, s.kind, r.name, substr(coalesce(r.commit_id, r.object_id), 1, 12) AS id,
       date((SELECT c.date FROM changes c WHERE c.source = r.source AND c.key = r.commit_id)) AS date
FROM source_refs r
JOIN sources s ON s.id = r.source
WHERE s.synced_at IS NOT NULL
      AND (r.name LIKE 'refs/heads/%' OR (s.kind NOT IN ('git', 'demo', 'mailing-list', 'merged-titles') AND length(r.object_id) = 40))
ORDER BY s.project <> 'linux', s.project <> 'docker', s.project, r.source,
         r.name NOT IN ('refs/heads/main', 'refs/heads/master', 'main', 'master'), r.name
