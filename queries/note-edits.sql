-- title: Release notes that were changed afterwards
-- why: What a project took back, reworded or moved in notes that it had published, and how long after
-- param project = docker: docker, runc, or another source's project
-- param version = %: only this version, as released, e.g. 27.0.1 or 20.10% (% stands for anything)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param gone = %: only what was edited, dropped or moved
-- param all = 0: 1 also lists what was found not to be about isolation
-- param limit = 200: how many at most, newest change first; -1 for all
--
-- Seen are pages whose revisions were read, from a git history or at earlier syncs; a page read once tells nothing of
-- this. The day is that of the revision or sync. `published` is the first day on which the note is known to have stood
-- anywhere, else the day of its version; `days` is its age then. An edit that left less than half of the words counts as
-- dropped, and what replaced it as new. A removed page is no edit.
WITH
ended AS MATERIALIZED (
    SELECT n.id, n.gone, n.seen_until, coalesce(n.upstream, n.version) AS version, max(n.release) AS release,
           count(*) AS places, min(n.source) AS source, min(n.place) AS place, min(n.section) AS section
    FROM notes n
    WHERE n.project = :project AND n.seen_until IS NOT NULL AND n.gone IN ('edited', 'dropped', 'moved')
          AND n.gone LIKE :gone AND coalesce(n.upstream, n.version) LIKE :version
          AND (:all <> 0 OR n.id NOT IN (SELECT change_id FROM off_topic))
          AND (:mechanism = '%'
               OR n.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
    GROUP BY n.id, n.gone, n.seen_until, coalesce(n.upstream, n.version)
),
-- A place without a first day always stood there, as far as is known: then the version's day counts.
published AS (
    SELECT p.change_id, min(coalesce(p.seen_from, p.date)) AS day
    FROM note_places p WHERE p.change_id IN (SELECT id FROM ended) GROUP BY p.change_id
),
-- A note that came back and was edited again has two successors: the one that came on that day.
successors AS MATERIALIZED (
    SELECT e.id, e.seen_until, e.gone, r.change_id,
           row_number() OVER (PARTITION BY e.id, e.seen_until ORDER BY q.change_id IS NULL, r.change_id) AS rank
    FROM ended e
    CROSS JOIN changes c ON c.id = e.id
    CROSS JOIN refs r ON r.type = 'replaces' AND r.value = substr(c.key, 1, 12) AND r.target = c.key
    LEFT JOIN note_places q ON q.change_id = r.change_id AND q.seen_from = e.seen_until
    WHERE e.gone = 'edited'
)
SELECT e.seen_until AS date, e.version, e.release, e.gone, p.day AS published,
       CAST(julianday(e.seen_until) - julianday(p.day) AS INTEGER) AS days, e.places, e.source, e.place, e.section,
       substr(c.key, 1, 12) AS id, c.text AS old_text, substr(b.key, 1, 12) AS new_id, b.text AS new_text,
       -- Where a note that was moved stands now.
       CASE WHEN e.gone = 'moved' THEN
           (SELECT min(q.source || ': ' || q.place || ', ' || q.said || ', ' || q.section)
            FROM note_places q WHERE q.change_id = e.id AND q.seen_until IS NULL) END AS now_in
FROM ended e
JOIN changes c ON c.id = e.id
LEFT JOIN published p ON p.change_id = e.id
LEFT JOIN successors n ON n.id = e.id AND n.seen_until = e.seen_until AND n.gone = e.gone AND n.rank = 1
LEFT JOIN changes b ON b.id = n.change_id
ORDER BY e.seen_until DESC, e.version, c.key, e.gone, b.key
LIMIT :limit
