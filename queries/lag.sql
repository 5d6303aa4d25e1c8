-- title: From writing to release
-- why: How long a change of each mechanism waits, from its author's date to its first final release
-- param project = linux: linux, docker, or another source's project
-- param since = 0: only releases of this year and later
WITH
-- A date that a calendar does not have gives no days; a clock that ran ahead of the release gives none either.
waits AS (
    SELECT coalesce(m.mechanism, '(no mechanism)') AS mechanism, c.id,
           julianday(r.date) - julianday(c.author_date) AS days
    FROM changes c
    JOIN sources s ON s.id = c.source
    JOIN releases r ON r.source = c.source AND r.tag = c.first_final
    LEFT JOIN change_mechanisms m ON m.change_id = c.id
    WHERE s.project = :project AND c.reachable = 1 AND c.type = 'commit'
          AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND CAST(substr(coalesce(r.date, ''), 1, 4) AS INTEGER) >= :since
          AND julianday(r.date) >= julianday(c.author_date)
),
ranked AS (
    SELECT mechanism, days, row_number() OVER (PARTITION BY mechanism ORDER BY days, id) AS rank,
           count(*) OVER (PARTITION BY mechanism) AS known
    FROM waits
)
SELECT mechanism, count(*) AS commits,
       -- The middle one, or the mean of the two in the middle.
       CAST(round(avg(CASE WHEN rank IN ((known + 1) / 2, (known + 2) / 2) THEN days END)) AS INTEGER) AS median_days,
       CAST(round(min(CASE WHEN rank >= 0.9 * known THEN days END)) AS INTEGER) AS days_for_nine_of_ten,
       CAST(round(max(days)) AS INTEGER) AS longest_days
FROM ranked
GROUP BY mechanism
ORDER BY median_days DESC, mechanism
