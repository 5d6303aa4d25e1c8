-- title: What was found on a probed host, beside the catalogue
-- why: Each feature of the kernel, its first release and its verdict; also features that were not asked
-- param host: a saved host (query hosts lists them)
--
-- `differs`, where verdict and version disagree, by the remark that the probe saved: early (newer than the kernel, yet
-- there), missing (the kernel is new enough), undated (its first release is not known). `built_in`: it is in the kernel,
-- and nothing can tell more of it than its symbol. `later`: its first release is newer than the kernel. `listed`: the
-- table features knows it. No verdict: it was not asked.
WITH
host AS MATERIALIZED (SELECT name, release FROM hosts WHERE name = :host),
asked AS MATERIALIZED (SELECT * FROM findings WHERE host = :host),
wanted AS (SELECT id FROM features WHERE project = 'linux' UNION SELECT feature FROM asked),
said AS (
    SELECT since AS version FROM features WHERE project = 'linux' AND since IS NOT NULL UNION SELECT release FROM host
),
parts AS (
    SELECT version, CASE WHEN instr(version, '.') THEN substr(version, instr(version, '.') + 1) ELSE '' END AS rest
    FROM said
),
-- A cast to a number reads as far as there are digits: "6.18.44-amd64" gives 6, then 18, then 44.
numbers AS MATERIALIZED (
    SELECT version, CAST(version AS INTEGER) * 1000000 + CAST(rest AS INTEGER) * 1000
           + CASE WHEN instr(rest, '.') THEN CAST(substr(rest, instr(rest, '.') + 1) AS INTEGER) ELSE 0 END AS number
    FROM parts
)
SELECT coalesce(t.area, '') AS area, w.id AS feature, coalesce(t.title, '') AS title, t.since, t.date, t.confidence,
       f.verdict, f.reason, f.blocked_by, f.detector, f.errno, f.remark,
       CASE WHEN f.remark LIKE 'newer than%' THEN 'early'
            WHEN f.remark LIKE 'this kernel is new enough%' THEN 'missing'
            WHEN f.remark LIKE 'the catalogue does not know%' THEN 'undated' ELSE '' END AS differs,
       f.verdict = 'compiled-in' AND f.reason NOT LIKE '%not loaded%'
           AND (f.detector LIKE 'kconfig:%' OR f.detector LIKE 'kallsyms:%') AS built_in,
       coalesce(k.number > 0 AND n.number > k.number, 0) AS later, t.id IS NOT NULL AS listed
FROM host h
JOIN wanted w
LEFT JOIN asked f ON f.feature = w.id
LEFT JOIN features t ON t.id = w.id
LEFT JOIN numbers n ON n.version = t.since
LEFT JOIN numbers k ON k.version = h.release
ORDER BY t.area, w.id
