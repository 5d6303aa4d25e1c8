-- title: What becomes of proposals, by mechanism
-- why: Where patches get in, where they are tried in vain, and how long that takes
-- param project = linux: linux, or another source's project
-- param since = 0001-01-01: only series first posted on this day or later
--
-- A series of several mechanisms counts for each. Shares are of the series that are decided. What was merged without being
-- found (see `proposals`) counts as never merged or undecided, so the shares of merged ones are lower bounds.
WITH
of_mechanism AS MATERIALIZED (
    SELECT DISTINCT p.id, coalesce(l.label, '(not labelled)') AS mechanism
    FROM series p
    JOIN sources s ON s.id = p.source
    JOIN postings o ON o.series_id = p.id
    JOIN mails m ON m.posting_id = o.id AND m.change_id IS NOT NULL
    LEFT JOIN labels l ON l.change_id = m.change_id AND l.axis = 'mechanism'
    WHERE s.project = :project AND date(p.first_date) >= :since
),
newest AS (
    SELECT f.mechanism, p.key, row_number() OVER (PARTITION BY f.mechanism ORDER BY p.postings DESC, p.last_date DESC, p.key) AS rank
    FROM of_mechanism f JOIN series p ON p.id = f.id WHERE p.verdict = 'never merged'
)
SELECT f.mechanism, count(*) AS series, sum(p.verdict = 'merged') AS merged,
       sum(p.verdict = 'merged in another form') AS in_another_form, sum(p.verdict = 'superseded') AS superseded,
       sum(p.verdict = 'never merged') AS never_merged, sum(p.verdict = 'pending') AS pending, sum(p.verdict = 'cannot tell') AS cannot_tell,
       round(100.0 * sum(p.verdict LIKE 'merged%') / nullif(sum(p.verdict NOT IN ('pending', 'cannot tell')), 0), 1) AS merged_percent,
       round(avg(p.postings), 1) AS postings_each, max(p.postings) AS most_postings,
       round(avg(CASE WHEN p.verdict LIKE 'merged%' THEN p.span_days END), 1) AS days_when_merged,
       n.key AS most_tried_id
FROM of_mechanism f
JOIN series p ON p.id = f.id
LEFT JOIN newest n ON n.mechanism = f.mechanism AND n.rank = 1
GROUP BY f.mechanism
ORDER BY never_merged DESC, f.mechanism
