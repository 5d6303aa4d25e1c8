-- title: Most changed tracked files per year
-- why: Where in the tree the mechanisms live and move
-- param source = linux: the source to count
-- param top = 3: files a year
WITH counted AS (
    SELECT substr(c.date, 1, 4) AS year, p.path, count(DISTINCT c.id) AS changes
    FROM changes c
    JOIN change_paths p ON p.change_id = c.id
    WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1 AND c.date IS NOT NULL
          AND c.id NOT IN (SELECT change_id FROM off_topic)
    GROUP BY year, p.path
),
ranked AS (
    SELECT year, path, changes, row_number() OVER (PARTITION BY year ORDER BY changes DESC, path) AS rank
    FROM counted
)
SELECT year, rank, path AS file, changes FROM ranked WHERE rank <= :top ORDER BY year, rank
