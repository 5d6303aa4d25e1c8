-- title: Mechanisms that keep breaking
-- why: Where mending does not end: per mechanism bugs per feature, how long bugs live, fixes of fixes, ideas given up
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param since = 0: only commits of this year and later
-- param least = 1: only mechanisms with at least so many commits
--
-- Commits only, each counted under each of its mechanisms and without the picks of commits that are held. `bugs` and
-- `features` go by the label of kind and are empty where no commit of the mechanism is labelled. `known_faults` are
-- pairs of a fix and the faulty commit that its Fixes: line names, as in `bug-lifetimes`: only they have a life time, in
-- days and in final releases that went out with the bug (0: none did). A fix of a fix mends a commit whose own Fixes:
-- line names a commit. A revert is left at that where `reverts-abandoned` lists it. Not seen: bugs mended without a
-- Fixes: line (hardly any has one before 2013), faulty commits that the store does not hold, and bugs that nobody has
-- mended yet, so that young code looks better than it is. Much mended may mean much used and well looked after, not
-- badly made.
WITH
commits AS MATERIALIZED (
    SELECT c.id, c.source, c.key, c.date, c.author_date, c.title, c.first_final, k.change_id IS NOT NULL AS labelled,
           l.label AS kind, CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since AS asked
    FROM sources s
    CROSS JOIN changes c ON c.source = s.id
    LEFT JOIN classifications k ON k.change_id = c.id
    LEFT JOIN labels l ON l.change_id = c.id AND l.axis = 'kind'
    WHERE s.project = :project AND c.type = 'commit' AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM off_topic) AND c.id NOT IN (SELECT change_id FROM picks)
),
touched AS MATERIALIZED (
    SELECT m.mechanism, m.change_id FROM change_mechanisms m
    WHERE m.mechanism LIKE :mechanism AND m.change_id IN (SELECT id FROM commits WHERE asked)
),
-- Life times.
pairs AS MATERIALIZED (
    SELECT DISTINCT x.fix_id, x.bug_id FROM fixes x
    WHERE x.fix_id IN (SELECT id FROM commits) AND x.bug_id IS NOT NULL AND x.bug_id <> x.fix_id
),
finals AS MATERIALIZED (
    SELECT source, tag, row_number() OVER (PARTITION BY source ORDER BY position) AS rank,
           count(*) OVER (PARTITION BY source) + 1 AS next
    FROM releases WHERE kind = 'final'
),
lives AS MATERIALIZED (
    SELECT p.fix_id, f.key AS fix_key, b.key AS bug_key,
           CAST(round(julianday(f.date) - julianday(b.date)) AS INTEGER) AS days,
           coalesce(max(coalesce(rf.rank, rb.next) - rb.rank, 0), 0) AS releases
    FROM pairs p
    JOIN commits f ON f.id = p.fix_id
    JOIN changes b ON b.id = p.bug_id
    LEFT JOIN finals rb ON rb.source = b.source AND rb.tag = b.first_final
    LEFT JOIN finals rf ON rf.source = f.source AND rf.tag = f.first_final
    WHERE f.date IS NOT NULL AND b.date IS NOT NULL
),
ranked AS (
    SELECT t.mechanism, l.fix_key, l.days, l.releases, count(*) OVER (PARTITION BY t.mechanism) AS n,
           row_number() OVER (PARTITION BY t.mechanism ORDER BY l.days, l.fix_key, l.bug_key) AS by_days,
           row_number() OVER (PARTITION BY t.mechanism ORDER BY l.releases, l.fix_key, l.bug_key) AS by_releases
    FROM touched t JOIN lives l ON l.fix_id = t.change_id
),
-- The median lies between the two middle ones; nine tenths are at most the 90th percentile.
spans AS (
    SELECT mechanism, n,
           avg(CASE WHEN by_releases IN ((n + 1) / 2, (n + 2) / 2) THEN releases END) AS median_releases,
           max(CASE WHEN by_releases = (9 * n + 9) / 10 THEN releases END) AS p90_releases,
           avg(CASE WHEN by_days IN ((n + 1) / 2, (n + 2) / 2) THEN days END) AS median_days,
           max(CASE WHEN by_days = (9 * n + 9) / 10 THEN days END) AS p90_days,
           max(CASE WHEN by_days = n THEN days END) AS longest_days,
           max(CASE WHEN by_days = n THEN fix_key END) AS longest_key
    FROM ranked GROUP BY mechanism
),
refixed AS (
    SELECT t.mechanism, c.key, count(*) OVER (PARTITION BY t.mechanism) AS n,
           row_number() OVER (PARTITION BY t.mechanism ORDER BY c.date DESC, c.key) AS rank
    FROM (SELECT DISTINCT fix_id FROM pairs WHERE bug_id IN (SELECT fix_id FROM pairs)) p
    JOIN commits c ON c.id = p.fix_id
    JOIN touched t ON t.change_id = p.fix_id
),
-- Reverts, as in `reverts-abandoned`. `said` is what the title of a revert has between quotation marks.
undone AS MATERIALIZED (
    SELECT v.id, v.source, v.key, v.date, v.asked, b.id AS was_id, b.title AS was_title, b.author_date AS was_written,
           CASE WHEN v.title LIKE '%revert "%"%'
                THEN rtrim(substr(rtrim(v.title, replace(v.title, '"', '')), instr(v.title, '"') + 1), '"')
                     || CASE WHEN v.title LIKE '%""' THEN '"' ELSE '' END END AS said
    FROM commits v
    LEFT JOIN refs f ON f.change_id = v.id AND f.type = 'reverts'
    LEFT JOIN changes b ON b.source = v.source AND b.key = f.target
    WHERE f.change_id IS NOT NULL OR v.title LIKE '%revert "%"%'
),
wanted AS MATERIALIZED (
    SELECT id, was_id, key, date, was_written, lower(was_title) AS title FROM undone WHERE was_title NOT LIKE 'revert "%'
    UNION
    SELECT id, was_id, key, date, was_written, lower(said) FROM undone
    WHERE said NOT LIKE 'revert "%' AND coalesce(was_title, '') NOT LIKE 'revert "%'
),
attempts AS MATERIALIZED (
    SELECT c.date, c.author_date, lower(c.title) AS title
    FROM sources s CROSS JOIN changes c ON c.source = s.id
    WHERE s.project = :project AND c.type IN ('commit', 'patch') AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM picks)
),
retried AS (
    SELECT w.id, w.was_id FROM wanted w JOIN attempts a ON a.title = w.title
    WHERE a.date > w.date AND a.author_date IS NOT w.was_written
    UNION
    SELECT w.id, w.was_id FROM attempts a CROSS JOIN wanted w
    WHERE (a.title LIKE '%reland%' OR a.title LIKE '%re-land%' OR a.title LIKE '%reapply%' OR a.title LIKE '%re-apply%'
           OR a.title LIKE '%again%' OR a.title LIKE '%take %' OR a.title LIKE '%revert "revert%')
          AND a.date > w.date AND instr(a.title, w.title) > 0
    UNION
    SELECT w.id, w.was_id FROM wanted w JOIN refs r ON r.target = w.key AND r.type = 'reverts'
),
undoings AS (
    SELECT t.mechanism, count(DISTINCT u.id) AS reverts FROM undone u JOIN touched t ON t.change_id = u.id
    GROUP BY t.mechanism
),
-- What several reverts took back is one idea.
left_at_that AS (
    SELECT t.mechanism, a.key, count(*) OVER (PARTITION BY t.mechanism) AS n,
           row_number() OVER (PARTITION BY t.mechanism ORDER BY a.date DESC, a.key) AS rank
    FROM (
        SELECT DISTINCT id, key, date FROM (
            SELECT u.id, u.key, u.date, row_number() OVER (
                       PARTITION BY u.source, lower(coalesce(u.was_title, u.said)) ORDER BY u.date, u.key) AS rank
            FROM undone u
            WHERE u.id IN (SELECT id FROM wanted)
                  AND NOT EXISTS (SELECT 1 FROM retried r WHERE r.id = u.id AND r.was_id IS u.was_id)
        )
        WHERE rank = 1
    ) a
    JOIN touched t ON t.change_id = a.id
),
counts AS (
    SELECT t.mechanism, count(*) AS changes, sum(NOT c.labelled) AS unlabelled,
           CASE WHEN sum(c.labelled) > 0 THEN sum(c.kind IS 'feature') END AS features,
           CASE WHEN sum(c.labelled) > 0 THEN sum(c.kind IS 'bug') END AS bugs,
           max(CASE WHEN c.kind IS 'bug' THEN coalesce(c.date, '') || ' ' || c.key END) AS newest_bug,
           max(coalesce(c.date, '') || ' ' || c.key) AS newest
    FROM touched t JOIN commits c ON c.id = t.change_id
    GROUP BY t.mechanism
)
SELECT mechanism, changes, features, bugs, bugs_per_feature, known_faults, median_releases, p90_releases, median_days,
       p90_days, longest_days, fixes_of_fixes, reverts, not_retried, newest_bug_id, longest_id, fix_of_fix_id,
       not_retried_id, newest_id, remark
FROM (
    SELECT n.mechanism, n.changes, n.features, n.bugs,
           round(1.0 * n.bugs / nullif(n.features, 0), 2) AS bugs_per_feature, coalesce(s.n, 0) AS known_faults,
           s.median_releases, s.p90_releases, s.median_days, s.p90_days, s.longest_days,
           coalesce(x.n, 0) AS fixes_of_fixes, coalesce(u.reverts, 0) AS reverts, coalesce(a.n, 0) AS not_retried,
           -- A date has no blank in it, a key neither.
           substr(n.newest_bug, instr(n.newest_bug, ' ') + 1, 12) AS newest_bug_id,
           substr(s.longest_key, 1, 12) AS longest_id, substr(x.key, 1, 12) AS fix_of_fix_id,
           substr(a.key, 1, 12) AS not_retried_id, substr(n.newest, instr(n.newest, ' ') + 1, 12) AS newest_id,
           CASE WHEN n.unlabelled > 0 THEN n.unlabelled || ' of these commits are not labelled: see `kminer classify`.' END
               AS remark
    FROM counts n
    LEFT JOIN spans s ON s.mechanism = n.mechanism
    LEFT JOIN refixed x ON x.mechanism = n.mechanism AND x.rank = 1
    LEFT JOIN undoings u ON u.mechanism = n.mechanism
    LEFT JOIN left_at_that a ON a.mechanism = n.mechanism AND a.rank = 1
    WHERE n.changes >= :least
    UNION ALL
    -- An empty answer must mean that nothing was found, never that nothing was read.
    SELECT NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL,
           'No commit of ' || :project || ' is in this database; `kminer sync` reads them.'
    WHERE NOT EXISTS (SELECT 1 FROM commits)
)
ORDER BY bugs DESC, known_faults DESC, changes DESC, mechanism
