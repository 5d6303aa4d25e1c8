-- title: Rising and dying topics
-- why: Which mechanisms draw more and more work and which are left: a test for trend over whole years, with its evidence
-- param project = linux: linux, docker, another source's project, or % for all
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param type = commit: commit, note or patch
-- param measure = share: share of the year's relevant changes in percent, or count of changes
-- param percent = 5: how probable a chance trend may be, in percent, for a verdict
-- param from_year = 0: only years from this one on
-- param to_year = 9999: only years up to this one
-- param least = 10: only mechanisms with at least so many changes in these years
--
-- The first and the last calendar year with changes are left out: they were read in part. Of each mechanism the yearly
-- `measure` is put to the Mann-Kendall test: `s` counts pairs of years that rise less those that fall, `variance` allows
-- for ties, `z` is corrected for continuity, `p` is two-sided by the normal approximation (Abramowitz and Stegun
-- 26.2.19, to 0.0000003), and `slope` is Sen's, the median slope of all pairs of years, in percentage points or changes
-- a year (0 with a verdict: most pairs are equal, often at no change at all). Fewer than four years get no verdict.
-- Counted are changes not found off topic, without picks of held commits and under each of their mechanisms; shares need
-- not add up to 100. Not seen: why, a rise and fall within the years (see `counts`), and what depends on what was read:
-- sources that begin in different years make steps. Years are not independent and some thirty mechanisms are tested at
-- once: at 5 percent one or two verdicts are chance.
WITH RECURSIVE
read AS MATERIALIZED (
    SELECT c.id, c.date, c.title, CASE WHEN c.type IN ('patch', 'cover') THEN c.key ELSE substr(c.key, 1, 12) END AS short,
           CAST(substr(c.date, 1, 4) AS INTEGER) AS year, k.change_id IS NOT NULL AS labelled
    FROM sources s
    CROSS JOIN changes c ON c.source = s.id
    LEFT JOIN classifications k ON k.change_id = c.id
    WHERE s.project LIKE :project AND c.type = :type AND c.reachable = 1 AND c.date IS NOT NULL
          AND c.id NOT IN (SELECT change_id FROM off_topic) AND c.id NOT IN (SELECT change_id FROM picks)
          AND (c.type <> 'note' OR EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = c.id
                                           AND (p.seen_until IS NULL OR p.gone = 'page removed')))
),
span AS MATERIALIZED (
    SELECT max(min(year) + 1, :from_year) AS first, min(max(year) - 1, :to_year) AS last FROM read
),
years(year) AS (
    SELECT first FROM span WHERE first <= last
    UNION ALL
    SELECT year + 1 FROM years WHERE year < (SELECT last FROM span)
),
-- A year without any change has no share.
totals AS MATERIALIZED (
    SELECT y.year, count(r.id) AS n FROM years y LEFT JOIN read r ON r.year = y.year
    GROUP BY y.year HAVING count(r.id) > 0 OR :measure = 'count'
),
touched AS MATERIALIZED (
    SELECT m.mechanism, r.id, r.year, r.date, r.title, r.short, r.labelled
    FROM read r JOIN change_mechanisms m ON m.change_id = r.id
    WHERE r.year BETWEEN (SELECT first FROM span) AND (SELECT last FROM span) AND m.mechanism LIKE :mechanism
),
counts AS MATERIALIZED (
    SELECT mechanism, count(*) AS changes, sum(NOT labelled) AS unlabelled FROM touched
    GROUP BY mechanism HAVING count(*) >= :least
),
yearly AS MATERIALIZED (SELECT mechanism, year, count(*) AS n FROM touched GROUP BY mechanism, year),
points AS MATERIALIZED (
    SELECT c.mechanism, t.year, coalesce(y.n, 0) AS n,
           CASE WHEN :measure = 'count' THEN 1.0 * coalesce(y.n, 0) ELSE 100.0 * coalesce(y.n, 0) / t.n END AS value
    FROM counts c CROSS JOIN totals t
    LEFT JOIN yearly y ON y.mechanism = c.mechanism AND y.year = t.year
),
listed AS (
    SELECT mechanism, count(*) AS years, min(year) AS first_year, max(year) AS last_year,
           group_concat(year || ':' || n, ' ') AS counts
    FROM (SELECT mechanism, year, n FROM points ORDER BY mechanism, year)
    GROUP BY mechanism
),
slopes AS MATERIALIZED (
    SELECT a.mechanism, (b.value > a.value) - (b.value < a.value) AS sign,
           (b.value - a.value) / (b.year - a.year) AS slope
    FROM points a JOIN points b ON b.mechanism = a.mechanism AND b.year > a.year
),
slopes_ranked AS (
    SELECT mechanism, sign, slope, count(*) OVER (PARTITION BY mechanism) AS n,
           row_number() OVER (PARTITION BY mechanism ORDER BY slope) AS rank
    FROM slopes
),
-- The median lies between the two middle ones.
kendall AS (
    SELECT mechanism, sum(sign) AS s, avg(CASE WHEN rank IN ((n + 1) / 2, (n + 2) / 2) THEN slope END) AS slope
    FROM slopes_ranked GROUP BY mechanism
),
ties AS (
    SELECT mechanism, sum(n * (n - 1) * (2 * n + 5)) AS correction
    FROM (SELECT mechanism, count(*) AS n FROM points GROUP BY mechanism, value)
    GROUP BY mechanism
),
spread AS MATERIALIZED (
    SELECT l.mechanism, (l.years * (l.years - 1) * (2 * l.years + 5) - t.correction) / 18.0 AS variance
    FROM listed l JOIN ties t ON t.mechanism = l.mechanism
),
-- Not every SQLite has square roots: Newton's.
roots(mechanism, variance, root, step) AS (
    SELECT mechanism, variance, variance + 1, 0 FROM spread WHERE variance > 0
    UNION ALL
    SELECT mechanism, variance, (root + variance / root) / 2, step + 1 FROM roots WHERE step < 40
),
scores AS (
    SELECT k.mechanism, k.s, k.slope, v.variance,
           CASE WHEN v.variance <= 0 OR k.s = 0 THEN 0.0
                ELSE (k.s - CASE WHEN k.s > 0 THEN 1 ELSE -1 END) / r.root END AS z
    FROM kendall k
    JOIN spread v ON v.mechanism = k.mechanism
    LEFT JOIN roots r ON r.mechanism = k.mechanism AND r.step = 40
),
-- Two-sided: 1 / (1 + d1 z + ... + d6 z^6)^16.
tails AS (
    SELECT mechanism, s, slope, variance, z,
           1 + abs(z) * (0.0498673470 + abs(z) * (0.0211410061 + abs(z) * (0.0032776263 + abs(z) * (
               0.0000380036 + abs(z) * (0.0000488906 + abs(z) * 0.0000053830))))) AS base
    FROM scores
),
squared AS (
    SELECT mechanism, s, slope, variance, z, base * base * base * base AS fourth FROM tails
),
tested AS (
    SELECT mechanism, s, slope, variance, z, 1 / (fourth * fourth * fourth * fourth) AS p FROM squared
),
newest AS (
    SELECT mechanism, short, date, title,
           row_number() OVER (PARTITION BY mechanism ORDER BY date DESC, short) AS rank FROM touched
)
SELECT mechanism, verdict, slope, p, z, s, variance, years, first_year, last_year, changes, counts, newest_id,
       newest_date, newest, remark
FROM (
    SELECT c.mechanism,
           CASE WHEN l.years < 4 THEN 'too few years' WHEN t.p >= :percent / 100.0 THEN 'no trend'
                WHEN t.s > 0 THEN 'rising' ELSE 'falling' END AS verdict,
           round(t.slope, 4) AS slope, round(t.p, 6) AS p, round(t.z, 4) AS z, t.s,
           round(t.variance, 4) AS variance, l.years, l.first_year, l.last_year, c.changes, l.counts, w.short AS newest_id,
           date(w.date) AS newest_date,
           w.title AS newest,
           CASE WHEN c.unlabelled > 0 THEN c.unlabelled || ' of these changes are not labelled: see `kminer classify`.' END
               AS remark, 0 AS problem
    FROM counts c
    JOIN listed l ON l.mechanism = c.mechanism
    LEFT JOIN tested t ON t.mechanism = c.mechanism
    LEFT JOIN newest w ON w.mechanism = c.mechanism AND w.rank = 1
    WHERE :measure IN ('share', 'count')
    UNION ALL
    -- An empty answer must mean that no mechanism has so many changes, never that nothing was read.
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, (SELECT count(*) FROM years), (SELECT first FROM span),
           (SELECT last FROM span), (SELECT count(*) FROM read), NULL, NULL, NULL, NULL,
           CASE WHEN :measure NOT IN ('share', 'count') THEN 'measure=' || :measure || ': it is share or count.'
                WHEN NOT EXISTS (SELECT 1 FROM read)
                THEN 'No ' || :type || ' of ' || :project || ' is in this database; `kminer sync` reads them.'
                ELSE 'No whole year of ' || :project || ' was read: the first and the last do not count.' END, 1
    WHERE :measure NOT IN ('share', 'count') OR NOT EXISTS (SELECT 1 FROM years)
)
-- What the verdict is sure of comes first, the steepest rise before the steepest fall.
ORDER BY problem DESC, verdict IN ('rising', 'falling') DESC, verdict = 'rising' DESC, abs(slope) DESC, mechanism
