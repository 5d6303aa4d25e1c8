-- title: Release lines with their dates and numbers of changes
-- why: How much of what kminer tracks came with each release line, every change counted once
-- param source = linux: the source to count
WITH counted AS (
    SELECT coalesce(c.first_final, c.first_rc) AS tag, count(*) AS changes
    FROM changes c
    WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM off_topic)
    GROUP BY tag
)
SELECT r.series AS release_line, date(min(r.date) FILTER (WHERE r.kind = 'final')) AS first_final,
       count(*) FILTER (WHERE r.kind = 'final') AS finals, count(*) FILTER (WHERE r.kind = 'rc') AS candidates,
       coalesce(sum(c.changes), 0) AS changes
FROM releases r
LEFT JOIN counted c ON c.tag = r.tag
WHERE r.source = :source
GROUP BY r.series
ORDER BY min(r.position)
