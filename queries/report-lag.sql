-- title: From a kernel's release to the engine that names its feature
-- why: When a kernel offered a feature, and when an engine first named it, for the features that took longest
-- param project = docker: the engine's project
-- param limit = 25: how many features at most, longest lag first; -1 for all
--
-- Two rows a feature: the day of the kernel's release, and the earlier day of the engine's first release note or first
-- released commit that names it. As in `adoption-lag`, a name in a text is what is found, not use.
WITH
mentions AS MATERIALIZED (
    SELECT m.feature, c.id, c.source, c.type, c.first_final
    FROM features f
    JOIN feature_mentions m ON m.feature = f.id
    JOIN changes c ON c.id = m.change_id
    JOIN sources s ON s.id = c.source
    WHERE f.project = 'linux' AND s.project = :project AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM off_topic)
),
days AS (
    SELECT m.feature, coalesce(n.date, date(r.date)) AS day, coalesce(n.upstream, n.version) AS version
    FROM mentions m JOIN notes n ON n.id = m.id
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE m.type = 'note' AND (n.seen_until IS NULL OR n.gone = 'page removed')
    UNION ALL
    SELECT m.feature, date(r.date), r.version
    FROM mentions m JOIN releases r ON r.source = m.source AND r.tag = m.first_final
    WHERE m.type <> 'note'
),
first AS (
    SELECT feature, day, version, row_number() OVER (PARTITION BY feature ORDER BY day, version) AS rank
    FROM days WHERE day IS NOT NULL
),
lags AS (
    SELECT f.id, f.since, f.date, d.day, d.version,
           CAST(julianday(d.day) - julianday(f.date) AS INTEGER) AS lag
    FROM first d JOIN features f ON f.id = d.feature
    WHERE d.rank = 1 AND f.date IS NOT NULL
    ORDER BY lag DESC, f.id
    LIMIT :limit
)
SELECT feature, day, text, lag_days FROM (
    SELECT id AS feature, date AS day, 'Linux ' || since AS text, lag AS lag_days, 0 AS place FROM lags
    UNION ALL
    SELECT id, day, :project || ' ' || version, lag, 1 FROM lags
)
ORDER BY lag_days DESC, feature, place
