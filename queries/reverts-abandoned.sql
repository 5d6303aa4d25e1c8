-- title: Reverts that were left at that
-- why: Ideas that failed once and were never tried again: what was taken back, after how many days, what it was about
-- param project = linux: linux, docker, or another source's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param kind = %: only what was labelled so before: feature, bug, performance, reliability or maintenance
-- param since = 0: only reverts of this year and later
-- param stood = 0: only what had stood for at least so many days; what was reverted must then be held
-- param limit = 100: how many at most, newest first; -1 for all
--
-- A revert names the commit it takes back, or has its title between quotation marks; `found_by` says which led to the
-- reverted commit, and neither column is filled where the store does not hold it. A new attempt is a later commit or
-- posted patch with the title of the reverted one, or with that title and a word such as reland, reapply, again or take
-- 2, or one that reverts the revert. Picks are no attempts, and reverts of reverts are not listed. What several reverts
-- took back, on several branches perhaps, is told once, by the first of them. Not seen: a new attempt under another
-- title, one in another repository, and that a revert on a release branch left the main line as it was. A revert whose
-- old title is not known is not listed: nothing can be looked for. `kind` is that of the reverted commit, empty where it
-- is not held or not labelled; maintenance is often a mere update of a dependency.
WITH
commits AS MATERIALIZED (
    SELECT c.id, c.source, c.key, c.date, c.author_date, c.title, coalesce(c.first_final, c.first_rc) AS release,
           s.commit_url
    FROM sources s CROSS JOIN changes c ON c.source = s.id
    WHERE s.project = :project AND c.type = 'commit' AND c.reachable = 1 AND c.id NOT IN (SELECT change_id FROM picks)
),
-- `said` is what the title of a revert has between quotation marks.
undone AS MATERIALIZED (
    SELECT v.id, v.source, v.key, v.date, v.title, v.release, v.commit_url, f.value, b.id AS was_id,
           CASE WHEN v.title LIKE '%revert "%"%'
                THEN rtrim(substr(rtrim(v.title, replace(v.title, '"', '')), instr(v.title, '"') + 1), '"')
                     || CASE WHEN v.title LIKE '%""' THEN '"' ELSE '' END END AS said
    FROM commits v
    LEFT JOIN refs f ON f.change_id = v.id AND f.type = 'reverts'
    LEFT JOIN changes b ON b.source = v.source AND b.key = f.target
    WHERE (f.change_id IS NOT NULL OR v.title LIKE '%revert "%"%') AND v.id NOT IN (SELECT change_id FROM off_topic)
          AND CAST(substr(coalesce(v.date, ''), 1, 4) AS INTEGER) >= :since
),
-- Where no commit id leads there, the newest earlier commit of that title.
by_title AS MATERIALIZED (
    SELECT u.id, b.id AS was_id, row_number() OVER (PARTITION BY u.id ORDER BY b.date DESC, b.key) AS rank
    FROM undone u JOIN commits b ON b.title = u.said AND b.source = u.source
    WHERE u.was_id IS NULL AND b.date <= u.date
),
reverted AS MATERIALIZED (
    SELECT u.id, u.source, u.key, u.date, u.title, u.release, u.commit_url, u.value, u.said, b.id AS was_id,
           b.key AS was_key, b.date AS was_date, b.title AS was_title, b.author_date AS was_written,
           coalesce(b.first_final, b.first_rc) AS was_release,
           CASE WHEN u.was_id IS NOT NULL THEN 'id' WHEN b.id IS NOT NULL THEN 'title' END AS found_by
    FROM undone u
    LEFT JOIN by_title t ON t.id = u.id AND t.rank = 1
    LEFT JOIN changes b ON b.id = coalesce(u.was_id, t.was_id)
    WHERE coalesce(b.title, u.said) NOT LIKE 'revert "%' AND coalesce(u.said, '') NOT LIKE 'revert "%'
),
wanted AS MATERIALIZED (
    SELECT id, value, key, date, was_written, lower(was_title) AS title FROM reverted WHERE was_title IS NOT NULL
    UNION
    SELECT id, value, key, date, was_written, lower(said) FROM reverted WHERE said IS NOT NULL
),
attempts AS MATERIALIZED (
    SELECT c.date, c.author_date, lower(c.title) AS title
    FROM sources s CROSS JOIN changes c ON c.source = s.id
    WHERE s.project = :project AND c.type IN ('commit', 'patch') AND c.reachable = 1
          AND c.id NOT IN (SELECT change_id FROM picks)
),
retried AS MATERIALIZED (
    SELECT w.id, w.value FROM wanted w JOIN attempts a ON a.title = w.title
    WHERE a.date > w.date AND a.author_date IS NOT w.was_written
    UNION
    SELECT w.id, w.value FROM attempts a CROSS JOIN wanted w
    WHERE (a.title LIKE '%reland%' OR a.title LIKE '%re-land%' OR a.title LIKE '%reapply%' OR a.title LIKE '%re-apply%'
           OR a.title LIKE '%again%' OR a.title LIKE '%take %' OR a.title LIKE '%revert "revert%')
          AND a.date > w.date AND instr(a.title, w.title) > 0
    UNION
    SELECT w.id, w.value FROM wanted w JOIN refs r ON r.target = w.key AND r.type = 'reverts'
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
),
left_at_that AS (
    SELECT r.id, r.source, r.key, r.date, r.title, r.release, r.commit_url, r.value, r.said, r.was_id, r.was_key,
           r.was_date, r.was_title, r.was_release, r.found_by, count(*) OVER same AS reverts,
           row_number() OVER (same ORDER BY r.date, r.key) AS rank
    FROM reverted r
    WHERE NOT EXISTS (SELECT 1 FROM retried a WHERE a.id = r.id AND a.value IS r.value)
    WINDOW same AS (PARTITION BY r.source, lower(coalesce(r.was_title, r.said)))
)
SELECT date, release, id, title, reverted_id, reverted, reverted_release, found_by, days_stood, reverts, kind,
       mechanisms, link
FROM (
    SELECT date(r.date) AS date, r.release, substr(r.key, 1, 12) AS id, r.title,
           substr(coalesce(r.was_key, r.value), 1, 12) AS reverted_id, coalesce(r.was_title, r.said) AS reverted,
           r.was_release AS reverted_release, r.found_by,
           CAST(round(julianday(r.date) - julianday(r.was_date)) AS INTEGER) AS days_stood,
           r.reverts, k.label AS kind, coalesce(m.mechanisms, w.mechanisms) AS mechanisms,
           replace(r.commit_url, '{id}', r.key) AS link,
           r.date AS moment, r.key
    FROM left_at_that r
    LEFT JOIN mechanisms_of m ON m.change_id = r.id
    LEFT JOIN mechanisms_of w ON w.change_id = r.was_id
    LEFT JOIN labels k ON k.change_id = r.was_id AND k.axis = 'kind'
    WHERE r.rank = 1 AND (:kind = '%' OR k.label LIKE :kind)
          AND (:stood <= 0 OR julianday(r.date) - julianday(r.was_date) >= :stood)
          AND (:mechanism = '%' OR EXISTS (SELECT 1 FROM change_mechanisms o
                                           WHERE o.change_id IN (r.id, r.was_id) AND o.mechanism LIKE :mechanism))
    UNION ALL
    -- An empty answer must mean that nothing was left at that, never that nothing was read.
    SELECT NULL, NULL, NULL, 'No commit of ' || :project || ' is in this database; `kminer sync` reads them.', NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM commits)
)
ORDER BY moment DESC, key, reverted_id
LIMIT :limit
