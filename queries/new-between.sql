-- title: What is new between two releases
-- why: What changes for containers when a host goes from one release to another
-- param project = linux: linux, docker, or another source's project
-- param from: tag of the release that is left, e.g. v2.6.30
-- param to: tag of the release that is reached, e.g. v2.6.36
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param limit = -1: how many at most; -1 for all
WITH RECURSIVE
line AS MATERIALIZED (
    SELECT r.source, r.tag, r.kind, r.series, r.position, r.previous, r.date,
           -- The minor version: the series, or where a series is a whole major version (28) its first two numbers.
           CASE WHEN instr(r.series, '.') > 0 THEN r.series
                ELSE r.series || substr(r.version, length(r.series) + 1,
                                        instr(substr(r.version, length(r.series) + 2) || '.', '.')) END AS minor
    FROM releases r JOIN sources s ON s.id = r.source
    -- Of histories: pages of release notes name versions, too.
    WHERE s.project = :project AND s.kind IN ('git', 'demo')
),
span AS (
    SELECT f.source, f.position AS low, f.kind AS low_kind, t.position AS high, t.kind AS high_kind, t.series
    FROM line f JOIN line t ON t.source = f.source
    WHERE f.tag = :from AND t.tag = :to
),
chain(source, tag) AS (
    SELECT source, tag FROM line WHERE tag = :to
    UNION
    SELECT l.source, l.previous
    FROM chain c JOIN line l ON l.source = c.source AND l.tag = c.tag
    WHERE l.previous IS NOT NULL
),
-- Each series' and each minor version's first final release, and what its first release was made from.
opening AS (
    SELECT DISTINCT source, tag,
           min(CASE WHEN kind = 'final' THEN position END) OVER (PARTITION BY source, series) AS series_final,
           min(CASE WHEN kind = 'final' THEN position END) OVER (PARTITION BY source, minor) AS minor_final,
           first_value(previous) OVER (PARTITION BY source, minor ORDER BY position) AS made_from
    FROM line
),
-- How far a release lies on the way to :to.
-- 2: it is contained in it. 1: it may be a branch that left the way, then what lies before the parting is
-- contained too: the target's own series, the first final of a series, or of a minor version made from the way.
-- 0: a point release of another line.
way AS MATERIALIZED (
    SELECT l.source, l.tag, l.position,
           CASE WHEN c.tag IS NOT NULL THEN 2
                WHEN l.series = s.series THEN 1
                WHEN l.position <= coalesce(o.series_final, l.position) THEN 1
                WHEN l.position <= coalesce(o.minor_final, l.position) AND m.tag IS NOT NULL THEN 1
                ELSE 0 END AS near
    FROM line l
    JOIN span s ON s.source = l.source
    JOIN opening o ON o.source = l.source AND o.tag = l.tag
    LEFT JOIN chain c ON c.source = l.source AND c.tag = l.tag
    LEFT JOIN chain m ON m.source = o.source AND m.tag = o.made_from
),
-- A final release is asked for by final releases; a candidate by whatever came first.
placed AS (
    SELECT c.id, c.source, c.key, c.type, c.date, c.title, c.author, s.low, s.high,
           CASE WHEN s.low_kind = 'final' THEN f.position
                ELSE min(coalesce(f.position, r.position), coalesce(r.position, f.position)) END AS left_at,
           CASE WHEN s.high_kind = 'final' OR r.position IS NULL OR f.position < r.position THEN f.tag
                ELSE r.tag END AS release
    FROM span s
    JOIN changes c ON c.source = s.source
    LEFT JOIN way f ON f.source = c.source AND f.tag = c.first_final
    LEFT JOIN way r ON r.source = c.source AND r.tag = c.first_rc
    WHERE c.reachable = 1 AND c.id NOT IN (SELECT change_id FROM off_topic)
),
new AS (
    SELECT p.*, w.position
    FROM placed p
    JOIN way w ON w.source = p.source AND w.tag = p.release
    WHERE w.position <= p.high AND (p.left_at IS NULL OR p.left_at > p.low)
          -- On a branch that left the way, a pick is not contained: its original is, and is listed.
          AND (w.near = 2 OR (w.near = 1 AND NOT EXISTS (
                   SELECT 1 FROM refs b WHERE b.change_id = p.id AND b.type = 'backport-of')))
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
),
answer AS (
    SELECT n.release, date(n.date) AS date, n.type,
           (SELECT label FROM labels WHERE change_id = n.id AND axis = 'kind') AS kind,
           (SELECT group_concat(label, ', ') FROM labels WHERE change_id = n.id AND axis = 'flag') AS flags,
           m.mechanisms, substr(n.key, 1, 12) AS id, n.title, n.author,
           -- The release before :from that already has a pick of this change.
           (SELECT l.tag
            FROM refs b
            JOIN changes k ON k.id = b.change_id
            JOIN line l ON l.source = k.source AND l.tag = coalesce(k.first_final, k.first_rc)
            WHERE b.target = n.key AND b.type = 'backport-of' AND k.source = n.source AND l.position <= n.low
            ORDER BY l.position DESC LIMIT 1) AS picked_before_in,
           replace(s.commit_url, '{id}', n.key) AS link, n.position, n.date AS moment
    FROM new n
    JOIN sources s ON s.id = n.source
    LEFT JOIN mechanisms_of m ON m.change_id = n.id
    WHERE :mechanism = '%' OR n.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism)
),
-- An empty answer must mean that nothing is new, never that a tag was misspelt.
trouble AS (
    SELECT 'No source of project ' || :project || ' is in this database.' AS problem
    WHERE NOT EXISTS (SELECT 1 FROM sources WHERE project = :project AND synced_at IS NOT NULL)
    UNION ALL
    SELECT 'No release of ' || :project || ' is tagged ' || asked.tag || '; `kminer releases` lists them.'
    FROM (SELECT :from AS tag UNION SELECT :to) AS asked
    WHERE EXISTS (SELECT 1 FROM sources WHERE project = :project AND synced_at IS NOT NULL)
          AND asked.tag NOT IN (SELECT tag FROM line)
    UNION ALL
    SELECT :from || ' does not come before ' || :to || ': nothing lies between them.'
    FROM span WHERE low >= high
)
SELECT release, date, type, kind, flags, mechanisms, id, title, author, picked_before_in, link
FROM (
    SELECT * FROM answer
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, problem, NULL, NULL, NULL, -1, NULL FROM trouble
)
ORDER BY position, moment, id, title
LIMIT :limit
