-- title: What a host's kernel has, and who uses it
-- why: The verdicts on a host beside the release that brought a feature and the first engine that named it
-- param host = %: a saved host, or a pattern
-- param verdict = %: available, compiled-in, blocked, bound-elsewhere, absent or unknown
-- param area = %: only this area of features, e.g. overlayfs, or cgroup% for a family
-- An engine counts with the earliest release of it whose notes or commits name the feature (query adoption-lag).
WITH
mentions AS MATERIALIZED (
    SELECT m.feature, s.project, r.version AS release,
           row_number() OVER (PARTITION BY m.feature, s.project ORDER BY r.date, r.position, c.key) AS rank
    FROM feature_mentions m
    JOIN changes c ON c.id = m.change_id
    JOIN sources s ON s.id = c.source
    JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
    WHERE m.mentioned_by = 'name' AND r.date IS NOT NULL
),
engines AS MATERIALIZED (
    SELECT feature, group_concat(project || ' ' || release, ', ') AS used_by
    FROM (SELECT * FROM mentions WHERE rank = 1 ORDER BY feature, project)
    GROUP BY feature
)
SELECT f.host, h.release AS kernel, coalesce(t.area, '') AS area, f.feature, coalesce(t.title, '') AS title, t.since,
       t.confidence, f.verdict, f.reason, f.blocked_by, f.remark, e.used_by
FROM findings f
JOIN hosts h ON h.name = f.host
LEFT JOIN features t ON t.id = f.feature
LEFT JOIN engines e ON e.feature = f.feature
WHERE f.host LIKE :host AND f.verdict LIKE :verdict AND coalesce(t.area, '') LIKE :area
ORDER BY f.host, t.area, f.feature
