-- title: Changes whose message gives a sign of what they are
-- why: Which changes name a CVE, mend or revert a named commit, or are meant for the stable kernels
-- param source = linux: the source to read
WITH signs AS (
    SELECT r.change_id, group_concat(r.value, ' ') FILTER (WHERE r.type = 'cve') AS cves,
           group_concat(substr(r.value, 1, 12), ' ') FILTER (WHERE r.type = 'fixes') AS fixes,
           group_concat(substr(r.value, 1, 12), ' ') FILTER (WHERE r.type = 'reverts') AS reverts,
           max(r.type = 'stable') AS for_stable
    FROM refs r
    WHERE r.type IN ('cve', 'fixes', 'reverts', 'stable')
    GROUP BY r.change_id
)
SELECT CASE WHEN s.cves IS NOT NULL THEN 'cve' WHEN s.reverts IS NOT NULL THEN 'revert' ELSE 'fix' END AS evidence,
       coalesce(c.first_final, c.first_rc) AS release, substr(c.key, 1, 12) AS id, c.title,
       s.cves, s.fixes, s.reverts, s.for_stable, replace(o.commit_url, '{id}', c.key) AS link
FROM signs s
JOIN changes c ON c.id = s.change_id
JOIN sources o ON o.id = c.source
WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1
      AND c.id NOT IN (SELECT change_id FROM off_topic)
ORDER BY evidence, c.date, c.key
