-- title: How much is reviewed, and by whom
-- why: Where few eyes look: the share of commits per mechanism with a named review, ack or test
-- param project = linux: linux, docker, or another source's project
-- param since = 0: only commits of this year and later
WITH
touched AS MATERIALIZED (
    SELECT c.id, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
           coalesce(nullif(c.author, ''), c.author_email) AS author
    FROM changes c
    JOIN sources s ON s.id = c.source
    LEFT JOIN change_mechanisms m ON m.change_id = c.id
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
),
named AS MATERIALIZED (
    SELECT t.mechanism, t.id, p.role, coalesce(nullif(p.name, ''), p.email) AS person
    FROM touched t JOIN people p ON p.change_id = t.id
    WHERE p.role IN ('reviewed-by', 'acked-by', 'tested-by')
),
sums AS (
    SELECT mechanism, count(DISTINCT CASE WHEN role = 'reviewed-by' THEN id END) AS reviewed,
           count(DISTINCT CASE WHEN role = 'acked-by' THEN id END) AS acked,
           count(DISTINCT CASE WHEN role = 'tested-by' THEN id END) AS tested,
           count(DISTINCT CASE WHEN role <> 'tested-by' THEN id END) AS looked_at,
           count(DISTINCT CASE WHEN role <> 'tested-by' THEN person END) AS reviewers
    FROM named GROUP BY mechanism
),
busiest AS (
    SELECT mechanism, person, count(DISTINCT id) AS reviews,
           row_number() OVER (PARTITION BY mechanism ORDER BY count(DISTINCT id) DESC, person) AS rank
    FROM named WHERE role <> 'tested-by' GROUP BY mechanism, person
)
SELECT t.mechanism, count(*) AS commits, count(DISTINCT t.author) AS authors, coalesce(s.reviewed, 0) AS reviewed,
       coalesce(s.acked, 0) AS acked, coalesce(s.tested, 0) AS tested,
       round(100.0 * coalesce(s.looked_at, 0) / count(*), 1) AS percent_reviewed_or_acked,
       coalesce(s.reviewers, 0) AS reviewers, b.person AS busiest_reviewer, b.reviews
FROM touched t
LEFT JOIN sums s ON s.mechanism = t.mechanism
LEFT JOIN busiest b ON b.mechanism = t.mechanism AND b.rank = 1
GROUP BY t.mechanism
ORDER BY commits DESC, t.mechanism
