-- title: CVEs that a release's notes or commits name, and every commit that names them
-- why: Which vulnerabilities a release says it mends, and whether the mending commits can be found
-- param project = docker: the project whose notes
-- param version: the version, e.g. 20.10.0
-- param source = docker: the history that holds the release
-- param release: its tag, e.g. v20.10.0
--
-- What was found not to be about isolation stays: a vulnerability missed costs more than one too many.
WITH noted AS MATERIALIZED (
    SELECT DISTINCT r.value AS cve, n.id
    FROM notes n JOIN refs r ON r.change_id = n.id AND r.type = 'cve'
    WHERE n.project = :project AND n.gone NOT IN ('edited', 'moved')
          AND (coalesce(n.upstream, n.version) = :version
               OR substr(coalesce(n.upstream, n.version), 1, length(:version) + 1) = :version || '-')
),
done AS MATERIALIZED (
    SELECT r.value AS cve, c.id, c.source = :source AND (c.first_final = :release OR (c.first_rc = :release AND NOT EXISTS (
               -- What an earlier final release contains is no candidate's own.
               SELECT 1 FROM releases f JOIN releases r ON r.source = f.source AND r.tag = :release
               WHERE f.source = c.source AND f.tag = c.first_final AND f.position < r.position))) AS here
    FROM refs r JOIN changes c ON c.id = r.change_id
    WHERE r.type = 'cve' AND c.type = 'commit' AND c.reachable = 1
),
named AS (SELECT cve FROM noted UNION SELECT cve FROM done WHERE here),
answer AS (
    SELECT cve, 'note' AS named_by, 1 AS here, id FROM noted
    UNION ALL
    SELECT cve, 'commit', here, id FROM done WHERE cve IN (SELECT cve FROM named)
)
SELECT a.cve, a.named_by, a.here, c.source, coalesce(c.first_final, c.first_rc) AS release, substr(c.key, 1, 12) AS id,
       c.title, replace(s.commit_url, '{id}', c.key) AS link
FROM answer a
JOIN changes c ON c.id = a.id
JOIN sources s ON s.id = c.source
-- CVE-2024-9999 is older than CVE-2024-10000: the number counts, not its spelling.
ORDER BY substr(a.cve, 5, 4), CAST(substr(a.cve, 10) AS INTEGER), a.cve, a.named_by DESC, a.here DESC, c.source <> :source,
         c.date, c.key
