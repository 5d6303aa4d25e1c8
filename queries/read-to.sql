-- title: Up to where each source was read
-- why: What answers can be trusted for: no answer of kminer says anything of what came after these days
-- param project = %: only sources of this project, e.g. linux or docker
--
-- `release` is the newest that a source has or tells, `first_day` and `last_day` the oldest and newest day of what was read of
-- it, never later than the day of reading. `head` is the commit that its main branch was at, or the fingerprint of its first
-- page. `labelled` are changes that were labelled; questions of mechanism and kind see no others. `relevant` are those about isolation. Not seen: gaps in the middle, and what a source's words and paths pass over.
SELECT r.source AS id, r.project, r.what, r.release, r.first_day, r.last_day, count(c.id) AS changes,
       count(k.change_id) AS labelled, count(y.change_id) AS relevant,
       (SELECT substr(coalesce(h.commit_id, h.object_id), 1, 12) FROM source_refs h WHERE h.source = r.source
        ORDER BY h.name NOT LIKE '%/main' AND h.name NOT LIKE '%/master', h.name LIMIT 1) AS head,
       s.since, s.shallow, s.synced_at, r.title
FROM read_to r
JOIN sources s ON s.id = r.source
LEFT JOIN changes c ON c.source = r.source
LEFT JOIN classifications k ON k.change_id = c.id
LEFT JOIN labels y ON y.change_id = c.id AND y.axis = 'relevant' AND y.label = 'yes'
WHERE r.project LIKE :project
GROUP BY r.source
ORDER BY r.project <> 'linux', r.project, r.what, r.source
