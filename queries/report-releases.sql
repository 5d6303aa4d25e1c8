-- title: Changes per mechanism and release line
-- why: Which release brought how much for which mechanism; one change can count for several mechanisms
-- param source = linux: the source to count
--
-- A change counts for the line of its first final release, else of its first candidate, else as unreleased.
SELECT coalesce(r.series, 'unreleased') AS release_line, coalesce(m.mechanism, '(no mechanism)') AS mechanism,
       count(*) AS changes
FROM changes c
LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
LEFT JOIN change_mechanisms m ON m.change_id = c.id
WHERE c.source = :source AND c.type = 'commit' AND c.reachable = 1
      AND c.id NOT IN (SELECT change_id FROM off_topic)
GROUP BY release_line, mechanism
ORDER BY coalesce(
    (SELECT min(l.position) FROM releases l WHERE l.source = :source AND l.series = coalesce(r.series, 'unreleased')), 1e9
), mechanism
