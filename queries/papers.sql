-- title: Published works
-- why: The works whose claims are followed up, with their bibliography
-- param paper = %: only works with an id like this
-- param layer = %: only this layer: container instance, container management, kernel resource or all
-- param in_note = 0: 1: only works that the reading note behind kminer names
--
-- From the catalogue (`data/papers/`). `checked` is 0 where bibliography and claims were not compared with a public text; a
-- DOI is there only where it was verified. Lags are counted from `published`, the last day of the year, or of a work
-- without year the day of the survey that names it. Works that nobody has catalogued are not here.
SELECT p.id, p.kind, p.title, p.authors, p.venue, p.year, p.published, p.doi, p.url, p.layer, p.in_note, p.checked,
       p.confidence, count(q.id) AS claims
FROM papers p LEFT JOIN claims q ON q.paper = p.id
WHERE p.id LIKE :paper AND p.layer LIKE :layer AND (:in_note = 0 OR p.in_note = 1)
GROUP BY p.id
ORDER BY p.id
