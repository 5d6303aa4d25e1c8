-- title: Changes that name a CVE
-- why: Which vulnerabilities of isolation were mended, where, and in which release of each line
-- param project = docker: linux, docker, or another source's project
-- param cve = %: only this one, e.g. CVE-2019-5736, or a year: CVE-2024-%
-- param limit = 200: how many at most, newest CVE first; -1 for all
--
-- What was found not to be about isolation stays: a vulnerability missed costs more than one too many. A release note is
-- listed after the commits, once however many pages tell it, with the version as its page writes it; one that was edited
-- as it reads now. `cves-by-mechanism` counts.
WITH
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT v.value AS cve, coalesce(c.first_final, c.first_rc) AS release, date(c.date) AS date, c.type,
       m.mechanisms, substr(c.key, 1, 12) AS id, c.title,
       (SELECT substr(min(b.value), 1, 12) FROM refs b
        WHERE b.change_id = c.id AND b.type = 'backport-of') AS backport_of,
       nullif(replace(s.commit_url, '{id}', c.key), '') AS link
FROM refs v
JOIN changes c ON c.id = v.change_id
JOIN sources s ON s.id = c.source
LEFT JOIN mechanisms_of m ON m.change_id = c.id
LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
WHERE s.project = :project AND c.reachable = 1 AND v.type = 'cve' AND v.value LIKE :cve
      AND (c.type IN ('commit', 'merge', 'pull') OR c.id IN (SELECT change_id FROM note_places
                                        WHERE seen_until IS NULL OR gone = 'page removed'))
-- CVE-2024-9999 is older than CVE-2024-10000: the number counts, not its spelling.
ORDER BY substr(v.value, 5, 4) DESC, CAST(substr(v.value, 10) AS INTEGER) DESC, c.type = 'note',
         -- Each source counts its releases by itself.
         c.source, r.position IS NULL, r.position, c.date, c.key
LIMIT :limit
