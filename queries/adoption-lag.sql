-- title: From kernel feature to engine
-- why: How long engines took to use or name what the kernel offered: first release note, first commit, days since
-- param project = %: only this engine's project, e.g. docker or runc (% stands for any)
-- param mechanism = %: only features of this mechanism, e.g. ns.cgroup, or a family such as ns.%
-- param unmentioned = 1: 0 leaves out features that no engine names
--
-- One row a feature and engine. A day is that of the engine's release, not of the commit; the lag is counted from the day
-- of the first kernel that has the feature, and is negative where an engine was ready before. What is found is a name in a
-- text (`term`): an engine that used a feature without a name for it is not seen, one that only spoke of it is. Nor is what
-- lies in changes that are not kept, was found not to be about isolation, or is in no final release yet.
WITH
mentions AS MATERIALIZED (
    SELECT f.id AS feature, s.project, c.id, c.type, min(m.evidence) AS term
    FROM features f
    JOIN feature_mentions m ON m.feature = f.id
    JOIN changes c ON c.id = m.change_id
    JOIN sources s ON s.id = c.source
    WHERE f.project = 'linux' AND s.project <> f.project AND s.project LIKE :project AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM off_topic)
    GROUP BY f.id, c.id
),
note_days AS MATERIALIZED (
    SELECT n.id, coalesce(n.upstream, n.version) AS version, min(coalesce(n.date, date(r.date))) AS day
    FROM mentions m
    JOIN notes n ON n.id = m.id
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE m.type = 'note' AND (n.seen_until IS NULL OR n.gone = 'page removed')
    GROUP BY n.id, coalesce(n.upstream, n.version)
),
notes_ranked AS (
    SELECT m.feature, m.project, c.key, m.term, d.version, d.day,
           row_number() OVER (PARTITION BY m.feature, m.project ORDER BY d.day, c.key) AS rank
    FROM mentions m JOIN note_days d ON d.id = m.id JOIN changes c ON c.id = m.id
    WHERE d.day IS NOT NULL
),
-- A pick is not the first use, but may be the first to be released.
commits_ranked AS (
    SELECT m.feature, m.project, c.key, m.term, r.tag, date(r.date) AS day,
           row_number() OVER (PARTITION BY m.feature, m.project ORDER BY date(r.date), c.date, c.key) AS rank
    FROM mentions m
    JOIN changes c ON c.id = m.id
    JOIN releases r ON r.source = c.source AND r.tag = c.first_final
    WHERE m.type IN ('commit', 'merge', 'pull') AND r.date IS NOT NULL
),
engines AS (SELECT feature, project, count(*) AS mentions FROM mentions GROUP BY feature, project),
found AS (
    SELECT f.id AS feature, f.title, f.mechanisms, f.since, f.date AS since_date, f.confidence, e.project AS engine,
           coalesce(e.mentions, 0) AS mentions,
           CAST(julianday(n.day) - julianday(f.date) AS INTEGER) AS note_lag, n.version AS note_version,
           n.day AS note_date, substr(n.key, 1, 12) AS note_id, n.term AS note_term,
           CAST(julianday(c.day) - julianday(f.date) AS INTEGER) AS commit_lag, c.tag AS commit_release,
           c.day AS commit_date, substr(c.key, 1, 12) AS commit_id, c.term AS commit_term
    FROM features f
    LEFT JOIN engines e ON e.feature = f.id
    LEFT JOIN notes_ranked n ON n.feature = f.id AND n.project = e.project AND n.rank = 1
    LEFT JOIN commits_ranked c ON c.feature = f.id AND c.project = e.project AND c.rank = 1
    WHERE f.project = 'linux' AND (e.project IS NOT NULL OR :unmentioned <> 0 AND f.since IS NOT NULL)
)
SELECT feature, title, since, since_date, confidence, engine,
       coalesce(min(note_lag, commit_lag), note_lag, commit_lag) AS lag_days, mentions, note_lag, note_version, note_date,
       note_id, note_term, commit_lag, commit_release, commit_date, commit_id, commit_term
FROM found
-- The mechanisms of a feature are parted by spaces.
WHERE :mechanism = '%' OR ' ' || mechanisms || ' ' LIKE '% ' || :mechanism || ' %'
ORDER BY engine IS NULL, lag_days IS NULL, lag_days DESC, feature, engine
