-- title: What the database holds
-- why: How far each history is read, before trusting any number drawn from it
SELECT s.id AS source, s.project, s.title, s.kind, s.demo, s.commits AS commits_read,
       (SELECT count(*) FROM changes c WHERE c.source = s.id AND c.type = 'commit' AND c.reachable = 1) AS changes,
       (SELECT count(*) FROM changes c JOIN off_topic o ON o.change_id = c.id
        WHERE c.source = s.id AND c.type = 'commit' AND c.reachable = 1) AS off_topic,
       (SELECT count(*) FROM changes c JOIN classifications k ON k.change_id = c.id
        WHERE c.source = s.id AND c.type = 'commit' AND c.reachable = 1) AS labelled,
       (SELECT count(*) FROM changes c WHERE c.source = s.id AND c.type = 'pull' AND c.reachable = 1) AS pull_summaries,
       (SELECT count(*) FROM changes c WHERE c.source = s.id AND c.type = 'merge' AND c.reachable = 1) AS other_merges,
       date(s.newest) AS newest_change,
       (SELECT count(*) FROM releases r WHERE r.source = s.id AND r.kind = 'final') AS releases,
       (SELECT count(*) FROM releases r WHERE r.source = s.id AND r.kind = 'rc') AS candidates,
       (SELECT r.tag FROM releases r WHERE r.source = s.id ORDER BY r.position DESC LIMIT 1) AS newest_release,
       (SELECT substr(coalesce(h.commit_id, h.object_id), 1, 12) FROM source_refs h WHERE h.source = s.id
        ORDER BY h.name NOT LIKE '%/main' AND h.name NOT LIKE '%/master', h.name LIMIT 1) AS head,
       s.since, s.shallow, s.commit_url
FROM sources s
-- Release notes are no history: their commits and releases are those of the history beside them.
WHERE s.synced_at IS NOT NULL AND s.kind IN ('git', 'demo')
ORDER BY s.project <> 'linux', s.project <> 'docker', s.id
