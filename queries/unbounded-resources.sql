-- title: Shared and without bounds
-- why: What one container can use up for all: no namespace, no charge to a cgroup, and at most a limit for the host
-- param strict = 1: 0 adds what is partly in a namespace or charged, or bounded a process, a user or a file system only
-- param without = view setting: kinds to leave out, parted by blanks: quantity, lock, rate-or-time, setting, view
-- param area = %: only this area: vfs, process, ipc, net, security, memory, block, device, cpu, time or view
-- param since = 0: count only changes of this year and later
--
-- The verdicts are the catalogue's, each with its confidence and its `source`. Those without any limit come first, then
-- those that most works speak of. `papers` are the works, with a star where the link is from memory only; `changes` were
-- found by the resource's words since `since` and say that somebody works nearby, not that the bound is coming. Not
-- seen: resources that nobody has listed yet, bounds that a distribution sets, and how hard it is to use one up: a lock
-- has no quantity.
WITH
cited AS (
    SELECT resource, count(*) AS n, group_concat(paper || CASE WHEN recalled THEN '*' ELSE '' END, ', ') AS papers
    FROM (SELECT resource, paper, recalled FROM resource_papers ORDER BY resource, paper)
    GROUP BY resource
),
-- One change may have several of a resource's words.
found AS MATERIALIZED (
    SELECT DISTINCT f.resource, c.id, c.date, c.key, c.title, c.short
    FROM resource_changes f CROSS JOIN counted_changes c ON c.id = f.change_id
    WHERE CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
),
newest AS (
    SELECT resource, short, date, title, count(*) OVER (PARTITION BY resource) AS n,
           row_number() OVER (PARTITION BY resource ORDER BY date DESC, key) AS rank
    FROM found
)
SELECT id, title, area, kind, namespaced, charged, limited, counted_by, at_exhaustion, leak, papers, changes, newest_id,
       newest_date, newest, confidence, source
FROM (
    SELECT r.id, r.title, r.area, r.kind, r.namespaced, r.charged, replace(r.limited, ' ', ', ') AS limited,
           r.counted_by, r.at_exhaustion, r.leak, p.papers, coalesce(n.n, 0) AS changes, n.short AS newest_id,
           date(n.date) AS newest_date, n.title AS newest, r.confidence, r.source,
           r.limited <> 'none' AS bounded, coalesce(p.n, 0) AS works
    FROM resources r
    LEFT JOIN cited p ON p.resource = r.id
    LEFT JOIN newest n ON n.resource = r.id AND n.rank = 1
    WHERE r.area LIKE :area AND instr(' ' || :without || ' ', ' ' || r.kind || ' ') = 0
          AND CASE WHEN :strict <> 0
                   THEN r.namespaced = 'no' AND r.charged = 'no' AND r.limited IN ('none', 'global')
                   ELSE r.namespaced IN ('no', 'partly') AND r.charged IN ('no', 'partly')
                        AND ' ' || r.limited || ' ' NOT LIKE '% namespace %'
                        AND ' ' || r.limited || ' ' NOT LIKE '% cgroup %'
                        AND ' ' || r.limited || ' ' NOT LIKE '% userns %' AND ' ' || r.limited || ' ' NOT LIKE '%-%' END
    UNION ALL
    -- An empty answer must mean that all is bounded, never that nothing is listed.
    SELECT NULL, 'No resources are in this database; `kminer sync` takes them from the catalogue.', NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM resources)
)
ORDER BY bounded, works DESC, id
