-- title: Kernel features that no engine uses
-- why: What the kernel offers and engines leave lying: since which release, for how long, how fast its like was taken up
-- param project = %: only this engine's project, e.g. docker or runc (% stands for any)
-- param mechanism = %: only features of this mechanism, e.g. ns.cgroup, or a family such as ns.%
-- param since = 0: only features of this year and later
-- param without = req. view.: beginnings of feature ids to leave out, parted by blanks; req.: asked for by others' scripts
-- param named = 0: 1 shows also features that no search found, but whose title's words stand in some engine's text
-- param nameless = 1: 0 leaves out features whose title has no name that an engine could say: see has_name
-- param undated = 0: 1 shows also features whose first release is not known
-- param least = 0: only features that were there for at least so many days when the engines were last read
-- param limit = 200: how many at most, longest unused first; -1 for all
--
-- An engine uses a feature where a commit, merge or note of it names it (`feature_mentions`); `engines` are those that
-- were read, `read_to` is the newest day they were read to, and `days` runs to it from the day of the feature's first
-- release. `title_named` is how many texts of engines have the words of the feature's title up to the first bracket,
-- comma or colon, and `title_id` is the newest of them. `family_lag` is the median of days that the used features of the
-- same family (ns, cg, fs, sec) took from their release to the first release of an engine that names them, of which
-- there are `family_used`. `has_name` is 1 where the title has a file, option, constant or call in it. Where it is 0,
-- use could hardly show in a text ("cpu controller on cgroup2"), so that the row says little. Not seen: use without a
-- name in a message, use by what was not read (systemd, Kubernetes, containerd), and whether an engine should care: what
-- works by itself, such as a scheduling policy, needs no engine. A row is a question to ask, not a fault found.
WITH
engines AS MATERIALIZED (
    SELECT id, project, newest FROM sources
    WHERE project <> 'linux' AND demo = 0 AND project LIKE :project AND newest IS NOT NULL
),
reach AS MATERIALIZED (
    SELECT date(max(newest)) AS day, (SELECT group_concat(project, ', ')
                                      FROM (SELECT DISTINCT project FROM engines ORDER BY project)) AS engines
    FROM engines
),
mentions AS MATERIALIZED (
    SELECT m.feature, c.id, c.source, c.type, c.first_final
    FROM features f
    JOIN feature_mentions m ON m.feature = f.id
    JOIN changes c ON c.id = m.change_id
    WHERE f.project = 'linux' AND c.source IN (SELECT id FROM engines) AND c.reachable = 1
),
-- The first day of use, as in `adoption-lag`.
days AS (
    SELECT m.feature, coalesce(n.date, date(r.date)) AS day
    FROM mentions m
    JOIN notes n ON n.id = m.id
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE m.type = 'note' AND (n.seen_until IS NULL OR n.gone = 'page removed')
          AND m.id NOT IN (SELECT change_id FROM off_topic)
    UNION ALL
    SELECT m.feature, date(r.date)
    FROM mentions m JOIN releases r ON r.source = m.source AND r.tag = m.first_final
    WHERE m.type IN ('commit', 'merge', 'pull') AND m.id NOT IN (SELECT change_id FROM off_topic)
),
used AS MATERIALIZED (
    SELECT f.id, f.mechanisms, CAST(julianday(min(d.day)) - julianday(f.date) AS INTEGER) AS lag
    FROM days d JOIN features f ON f.id = d.feature
    WHERE d.day IS NOT NULL AND f.date IS NOT NULL
    GROUP BY f.id
),
families(family) AS (VALUES ('ns'), ('cg'), ('fs'), ('sec'), ('mgmt')),
-- `words`: the title up to the first bracket, comma, colon or semicolon.
unused AS MATERIALIZED (
    SELECT f.id, f.title, f.mechanisms, f.since, f.date, f.confidence,
           trim(replace(substr(f.title, 1, min(
               coalesce(nullif(instr(f.title, '('), 0), 999), coalesce(nullif(instr(f.title, ','), 0), 999),
               coalesce(nullif(instr(f.title, ':'), 0), 999), coalesce(nullif(instr(f.title, ';'), 0), 999)) - 1),
               '"', ' ')) AS words,
           f.title GLOB '*[A-Za-z]_[A-Za-z]*' OR f.title GLOB '*[a-z].[a-z]*' OR f.title GLOB '*/[a-z]*'
           OR f.title GLOB '*[a-z](2)*' OR f.title GLOB '*[a-z]=*' OR f.title LIKE '%option%' AS has_name
    FROM features f
    WHERE f.project = 'linux' AND f.id NOT IN (SELECT feature FROM mentions)
          AND instr(' ' || :without || ' ', ' ' || substr(f.id, 1, instr(f.id, '.')) || ' ') = 0
          AND (f.date IS NOT NULL OR :undated <> 0) AND CAST(substr(coalesce(f.date, ''), 1, 4) AS INTEGER) >= :since
          AND (:mechanism = '%' OR ' ' || f.mechanisms || ' ' LIKE '% ' || :mechanism || ' %')
),
named AS MATERIALIZED (
    SELECT u.id, c.key, count(*) OVER (PARTITION BY u.id) AS n,
           row_number() OVER (PARTITION BY u.id ORDER BY c.date DESC, c.key) AS rank
    FROM unused u
    CROSS JOIN changes_fts x ON changes_fts MATCH '"' || u.words || '"'
    CROSS JOIN changes c ON c.id = x.rowid
    WHERE u.words <> '' AND c.reachable = 1 AND c.source IN (SELECT id FROM engines)
),
peers AS (
    SELECT DISTINCT u.id, o.id AS used_id, o.lag
    FROM unused u
    JOIN families y ON ' ' || u.mechanisms LIKE '% ' || y.family || '.%'
    JOIN used o ON ' ' || o.mechanisms LIKE '% ' || y.family || '.%'
),
peers_ranked AS (
    SELECT id, lag, count(*) OVER (PARTITION BY id) AS n,
           row_number() OVER (PARTITION BY id ORDER BY lag, used_id) AS rank
    FROM peers
),
-- The median lies between the two middle ones.
pace AS (
    SELECT id, n, CAST(round(avg(CASE WHEN rank IN ((n + 1) / 2, (n + 2) / 2) THEN lag END)) AS INTEGER) AS median
    FROM peers_ranked GROUP BY id
),
brought AS (
    SELECT m.feature, c.key, row_number() OVER (PARTITION BY m.feature ORDER BY c.date, c.key) AS rank
    FROM feature_mentions m JOIN changes c ON c.id = m.change_id
    WHERE m.mentioned_by = 'commit' AND c.type = 'commit' AND c.reachable = 1
)
SELECT id, title, release, release_date, days, mechanisms, confidence, family_lag, family_used, has_name, title_named,
       title_id, brought_by_id, engines, read_to
FROM (
    SELECT u.id, u.title, u.since AS release, u.date AS release_date,
           CAST(julianday(e.day) - julianday(u.date) AS INTEGER) AS days,
           replace(u.mechanisms, ' ', ', ') AS mechanisms, u.confidence, p.median AS family_lag,
           coalesce(p.n, 0) AS family_used, u.has_name, coalesce(n.n, 0) AS title_named,
           substr(n.key, 1, 12) AS title_id, substr(b.key, 1, 12) AS brought_by_id, e.engines, e.day AS read_to
    FROM reach e
    CROSS JOIN unused u
    LEFT JOIN named n ON n.id = u.id AND n.rank = 1
    LEFT JOIN pace p ON p.id = u.id
    LEFT JOIN brought b ON b.feature = u.id AND b.rank = 1
    WHERE e.day IS NOT NULL AND (n.n IS NULL OR :named <> 0) AND (u.has_name OR :nameless <> 0)
          AND (u.date IS NULL OR julianday(e.day) - julianday(u.date) >= :least)
    UNION ALL
    -- Where no engine was read, every feature would look unused.
    SELECT NULL, CASE WHEN NOT EXISTS (SELECT 1 FROM features)
                      THEN 'No features are in this database; `kminer sync` takes them from the catalogue.'
                      ELSE 'No source of an engine like ' || :project || ' was read; `kminer sync` reads them.' END,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM features) OR NOT EXISTS (SELECT 1 FROM engines)
)
ORDER BY days IS NULL, days DESC, id
LIMIT :limit
