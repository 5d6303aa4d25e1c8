-- title: Pairs that nothing touches together
-- why: Blind spots: a mechanism and a dimension, or two mechanisms, both worked on often but never in the same change
-- param project = linux: linux, docker, another source's project, or % for all
-- param pair = dimension: dimension, or mechanism for pairs of mechanisms
-- param mechanism = %: only pairs with this mechanism, e.g. cg.memory, or of a family such as ns.%
-- param type = %: only this type of change: commit, note or patch
-- param mixed = 0: 1 counts only changes that touch at least two dimensions (two mechanisms, for their pairs)
-- param since = 0: only changes of this year and later
-- param least = 20: each of the two must be touched by at least so many changes
-- param most = 0: how often both may be touched together
-- param limit = 100: how many at most, most surprising first; -1 for all
--
-- Counted are the labelled, relevant commits, notes and posted patches that `read` has, picks of held commits left out.
-- `expected` is how many would touch both if the one said nothing of the other: changes of the first times changes of
-- the second over all. Most changes touch one thing, so that nearly all pairs meet more rarely than that; `mixed` asks
-- among those that touch several. The newest change of each is its evidence; `together_id` is the newest of both, where
-- `most` allows any. Not seen: whether a pair makes sense at all. Many do not by their making (a mechanism brings its
-- own dimension; UTS namespaces and block I/O have nothing to say to each other), and none is taken out for it. A note
-- may tell of a commit that is counted, too. Labels miss some: a pair that was touched once may look untouched.
WITH
read AS MATERIALIZED (
    SELECT c.id, c.date, CASE WHEN c.type IN ('patch', 'cover') THEN c.key ELSE substr(c.key, 1, 12) END AS short
    FROM sources s
    CROSS JOIN changes c ON c.source = s.id
    JOIN labels l ON l.change_id = c.id AND l.axis = 'relevant' AND l.label = 'yes'
    WHERE s.project LIKE :project AND c.type IN ('commit', 'note', 'patch') AND c.type LIKE :type AND c.reachable = 1
          AND CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
          AND c.id NOT IN (SELECT change_id FROM picks)
          AND (c.type <> 'note' OR EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = c.id
                                           AND (p.seen_until IS NULL OR p.gone = 'page removed')))
          AND (:mixed = 0 OR (SELECT count(*) FROM labels m WHERE m.change_id = c.id AND m.axis = :pair) > 1)
),
firsts AS MATERIALIZED (
    SELECT r.id, l.label, r.date, r.short FROM read r JOIN labels l ON l.change_id = r.id AND l.axis = 'mechanism'
),
seconds AS MATERIALIZED (
    SELECT r.id, l.label, r.date, r.short FROM read r JOIN labels l ON l.change_id = r.id AND l.axis = :pair
),
often_first AS MATERIALIZED (
    SELECT label, count(*) AS n FROM firsts GROUP BY label HAVING count(*) >= :least
),
often_second AS MATERIALIZED (
    SELECT label, count(*) AS n FROM seconds GROUP BY label HAVING count(*) >= :least
),
newest_first AS (
    SELECT label, short, date, row_number() OVER (PARTITION BY label ORDER BY date DESC, short) AS rank FROM firsts
),
newest_second AS (
    SELECT label, short, date, row_number() OVER (PARTITION BY label ORDER BY date DESC, short) AS rank FROM seconds
),
met AS (
    SELECT a.label, b.label AS other, a.short, count(*) OVER both AS n,
           row_number() OVER (both ORDER BY a.date DESC, a.short) AS rank
    FROM firsts a JOIN seconds b ON b.id = a.id
    WINDOW both AS (PARTITION BY a.label, b.label)
),
whole AS (SELECT count(*) AS n FROM read)
SELECT mechanism, other, expected, together, mechanism_changes, other_changes, read, mechanism_id, mechanism_date,
       other_id, other_date, together_id, remark
FROM (
    SELECT a.label AS mechanism, b.label AS other, round(1.0 * a.n * b.n / w.n, 1) AS expected,
           coalesce(t.n, 0) AS together, a.n AS mechanism_changes, b.n AS other_changes, w.n AS read,
           x.short AS mechanism_id, date(x.date) AS mechanism_date, y.short AS other_id, date(y.date) AS other_date,
           t.short AS together_id, NULL AS remark, 1.0 * a.n * b.n / w.n AS exact
    FROM whole w
    CROSS JOIN often_first a
    CROSS JOIN often_second b
    LEFT JOIN met t ON t.label = a.label AND t.other = b.label AND t.rank = 1
    LEFT JOIN newest_first x ON x.label = a.label AND x.rank = 1
    LEFT JOIN newest_second y ON y.label = b.label AND y.rank = 1
    WHERE :pair IN ('dimension', 'mechanism') AND coalesce(t.n, 0) <= :most
          AND (:pair <> 'mechanism' OR a.label < b.label)
          AND (a.label LIKE :mechanism OR :pair = 'mechanism' AND b.label LIKE :mechanism)
    UNION ALL
    -- An empty answer must mean that all pairs meet, never that nothing is labelled.
    SELECT NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL,
           CASE WHEN :pair NOT IN ('dimension', 'mechanism') THEN 'pair=' || :pair || ': it is dimension or mechanism.'
                ELSE 'No relevant change of ' || :project || ' is labelled: `kminer classify` does it.' END, 0
    FROM whole WHERE n = 0 OR :pair NOT IN ('dimension', 'mechanism')
)
ORDER BY exact DESC, mechanism, other
LIMIT :limit
