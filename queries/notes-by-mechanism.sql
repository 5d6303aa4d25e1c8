-- title: Release notes by version and mechanism
-- why: What each release promised or mended in each mechanism, in the project's own words
-- param project = docker: docker, runc, linux, or another source's project
-- param version = %: only this version, as written or as released, e.g. 27.0.1 or 20.10% (5.20 also finds 6.0)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
--
-- A note told in several pages counts once, a note of two mechanisms for each of them. Left out are notes found not to be
-- about isolation, and notes that were edited (their successor counts) or dropped. Kinds are labels by rules and model.
WITH
asked AS (SELECT version FROM version_aliases WHERE project = :project AND said = :version),
-- A note has one version, which its pages may date differently: the earliest day counts.
told AS MATERIALIZED (
    SELECT n.id, coalesce(n.upstream, n.version) AS number, max(n.release) AS release,
           min(coalesce(n.date, date(r.date))) AS day,
           max(coalesce(n.upstream, n.version) LIKE :version OR n.version LIKE :version OR n.said LIKE :version) AS fits
    FROM notes n
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE n.project = :project AND (n.seen_until IS NULL OR n.gone = 'page removed')
          AND n.id NOT IN (SELECT change_id FROM off_topic)
    GROUP BY n.id, number
),
versions AS MATERIALIZED (SELECT number, min(day) AS day, max(release) AS release FROM told GROUP BY number)
SELECT t.number AS version, v.release, v.day AS date, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
       count(*) AS notes, sum(k.label IS 'feature') AS feature, sum(k.label IS 'bug') AS bug,
       sum(k.label IS 'performance') AS performance, sum(k.label IS 'reliability') AS reliability,
       sum(k.label IS 'maintenance') AS maintenance,
       sum(t.id IN (SELECT note_id FROM ties)) AS tied_to_commits
FROM told t
JOIN versions v ON v.number = t.number
LEFT JOIN labels k ON k.change_id = t.id AND k.axis = 'kind'
LEFT JOIN change_mechanisms m ON m.change_id = t.id
WHERE (t.fits OR EXISTS (SELECT 1 FROM asked a WHERE t.number = a.version OR t.number LIKE a.version || '-%'))
      AND coalesce(m.mechanism, '(no mechanism)') LIKE :mechanism
GROUP BY t.number, coalesce(m.mechanism, '(no mechanism)')
ORDER BY v.day IS NULL, v.day, t.number, notes DESC, mechanism
