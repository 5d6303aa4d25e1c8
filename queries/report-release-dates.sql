-- title: Releases with the dates of their tags
-- why: The tags that a report's from and to may name, with their versions and dates
-- param source = linux: the source whose releases
SELECT r.tag, r.version, r.kind, r.series, r.position, date(r.date) AS date
FROM releases r
WHERE r.source = :source
ORDER BY r.position
