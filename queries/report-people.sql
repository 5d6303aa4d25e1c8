-- title: Most active authors per year
-- why: Whom to ask, whom to cite, and when a mechanism's work moved to other hands
-- param source = linux: the source to count
-- param top = 3: authors a year
WITH counted AS (
    SELECT substr(c.date, 1, 4) AS year, c.author, count(*) AS changes
    FROM changes c
    WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1 AND c.date IS NOT NULL
          AND c.id NOT IN (SELECT change_id FROM off_topic)
    GROUP BY year, c.author
),
ranked AS (
    SELECT year, author, changes, row_number() OVER (PARTITION BY year ORDER BY changes DESC, author) AS rank
    FROM counted
)
SELECT year, rank, author, changes FROM ranked WHERE rank <= :top ORDER BY year, rank
