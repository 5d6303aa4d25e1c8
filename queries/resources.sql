-- title: What containers share
-- why: Per resource of the kernel: is it in a namespace, charged to a cgroup, limited, and what happens when it runs out
-- param area = %: only this area: vfs, process, ipc, net, security, memory, block, device, cpu, time or view
-- param kind = %: only this kind: quantity, lock, rate-or-time, setting or view
-- param since = 0: count only changes of this year and later
--
-- `bound` is the strongest bound there is: namespace, cgroup, partly, other (per process, user, file system), host, none.
-- The verdicts are the catalogue's (`data/resources/`), each with its confidence; `kminer show` tells their source.
-- `papers` counts the works that speak of a resource, `from_memory` those of them that were linked from memory only.
-- `changes` are those that were found by the resource's words, whatever they say of it; what is off topic, picks of held
-- commits and notes that are gone are left out. Not seen: resources that nobody has listed yet, and what a distribution
-- or an engine sets on top.
WITH
cited AS (
    SELECT resource, count(*) AS papers, sum(recalled) AS from_memory FROM resource_papers GROUP BY resource
),
-- One change may have several of a resource's words.
found AS MATERIALIZED (
    SELECT DISTINCT f.resource, c.id, c.date, c.key, c.short
    FROM resource_changes f CROSS JOIN counted_changes c ON c.id = f.change_id
    WHERE CAST(substr(coalesce(c.date, ''), 1, 4) AS INTEGER) >= :since
),
newest AS (
    SELECT resource, short, date, count(*) OVER (PARTITION BY resource) AS n,
           row_number() OVER (PARTITION BY resource ORDER BY date DESC, key) AS rank
    FROM found
)
SELECT area, id, title, kind, bound, namespaced, namespaced_since, charged, charged_key, charged_since, limited, counted_by,
       at_exhaustion, leak, leak_note, papers, from_memory, changes, newest_id, newest_date, confidence
FROM (
    SELECT r.area, r.id, r.title, r.kind,
           CASE WHEN r.namespaced NOT IN ('no', 'partly') THEN 'namespace'
                WHEN r.charged = 'yes' OR ' ' || r.limited || ' ' LIKE '% cgroup %' THEN 'cgroup'
                WHEN r.namespaced = 'partly' OR r.charged = 'partly' THEN 'partly'
                WHEN r.limited IN ('none', '') THEN 'none'
                WHEN r.limited IN ('global', 'global none', 'none global') THEN 'host' ELSE 'other' END AS bound,
           r.namespaced, r.namespaced_since, r.charged, r.charged_key, r.charged_since,
           replace(r.limited, ' ', ', ') AS limited, r.counted_by, r.at_exhaustion, r.leak, r.leak_note,
           coalesce(p.papers, 0) AS papers, coalesce(p.from_memory, 0) AS from_memory, coalesce(n.n, 0) AS changes,
           n.short AS newest_id, date(n.date) AS newest_date, r.confidence
    FROM resources r
    LEFT JOIN cited p ON p.resource = r.id
    LEFT JOIN newest n ON n.resource = r.id AND n.rank = 1
    WHERE r.area LIKE :area AND r.kind LIKE :kind
    UNION ALL
    SELECT NULL, NULL, 'No resources are in this database; `kminer sync` takes them from the catalogue.', NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM resources)
)
ORDER BY area, id
