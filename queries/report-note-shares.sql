-- title: Commits per release line and year, by whether release notes tell them
-- why: How much of what was done a project's release notes speak of
-- param source = docker: the history to count
--
-- `told`: named, a note names the commit, its pull request, its issue or its CVE; title, only a note's title is like
-- the commit's; no. Year and line are those of the first final release that contains the commit.
SELECT r.series AS release_line, substr(r.date, 1, 4) AS year,
       CASE WHEN b.named = 1 THEN 'named' WHEN b.named = 0 THEN 'title' ELSE 'no' END AS told, count(*) AS commits
FROM changes c
JOIN releases r ON r.source = c.source AND r.tag = c.first_final
LEFT JOIN (SELECT change_id, max(tied_by <> 'title') AS named FROM ties GROUP BY change_id) b ON b.change_id = c.id
WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1 AND r.date IS NOT NULL
      AND c.id NOT IN (SELECT change_id FROM off_topic)
GROUP BY 1, 2, 3
ORDER BY year, (SELECT min(l.position) FROM releases l WHERE l.source = :source AND l.series = r.series), told
