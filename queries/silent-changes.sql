-- title: Changes that no release note mentions
-- why: What a release brought without saying so: commits on a mechanism to which no note of the project is tied
-- param project = docker: docker, runc, linux, or another source's project
-- param release: tag of the release, e.g. v27.0.1, or of several: v27.% (% stands for anything)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param kind = %: only this kind: feature, bug, performance, reliability or maintenance
-- param likeness = 0: least likeness of titles, in percent, for a tie by title to count; 101: such ties do not count
-- param limit = 200: how many at most, oldest first; -1 for all
--
-- A release belongs to a commit that it is the first final one to contain. `notes_held` is how many notes of that release
-- the store holds: with 0 nothing is silent, only unread. A commit looks silent although it was told where its note gives
-- neither its number nor its words, or the number of a repository that is not held (docker/engine#12 for a pick).
WITH
history AS MATERIALIZED (
    SELECT r.source, r.tag, r.position, date(r.date) AS day
    FROM releases r JOIN sources s ON s.id = r.source
    WHERE s.project = :project AND s.kind IN ('git', 'demo') AND r.tag LIKE :release
),
standing AS MATERIALIZED (
    SELECT DISTINCT n.id, n.history, n.release
    FROM notes n WHERE n.project = :project AND (n.seen_until IS NULL OR n.gone = 'page removed')
),
held AS MATERIALIZED (SELECT history, release, count(*) AS notes FROM standing GROUP BY history, release),
told AS MATERIALIZED (
    SELECT t.change_id FROM ties t JOIN standing n ON n.id = t.note_id
    WHERE t.tied_by <> 'title' OR 100 * t.score >= :likeness
),
silent AS (
    SELECT h.tag, h.day, h.position, c.id, c.source, c.key, c.date, c.title, c.author,
           coalesce(k.label, '(not labelled)') AS kind
    FROM history h
    CROSS JOIN changes c ON c.source = h.source AND c.first_final = h.tag
    LEFT JOIN labels k ON k.change_id = c.id AND k.axis = 'kind'
    WHERE c.type = 'commit' AND c.reachable = 1 AND c.id NOT IN (SELECT change_id FROM off_topic)
          AND c.id NOT IN (SELECT change_id FROM told)
          AND (:mechanism = '%'
               OR c.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT release, date, kind, flags, mechanisms, id, title, author, pull, notes_held, link
FROM (
    SELECT i.tag AS release, i.day AS date, i.kind,
           (SELECT group_concat(label, ', ') FROM labels WHERE change_id = i.id AND axis = 'flag') AS flags,
           m.mechanisms,
           substr(i.key, 1, 12) AS id, i.title, i.author, b.pull, coalesce(n.notes, 0) AS notes_held,
           replace(s.commit_url, '{id}', i.key) AS link, i.position, i.date AS moment, i.key
    FROM silent i
    JOIN sources s ON s.id = i.source
    LEFT JOIN mechanisms_of m ON m.change_id = i.id
    LEFT JOIN brought_by b ON b.change_id = i.id
    LEFT JOIN held n ON n.history = i.source AND n.release = i.tag
    WHERE i.kind LIKE :kind
    UNION ALL
    -- An empty answer must mean that all was told, never that the tag was misspelt.
    SELECT NULL, NULL, NULL, NULL, NULL, NULL,
           'No release of ' || :project || ' is tagged ' || :release || '; `kminer releases` lists them.',
           NULL, NULL, NULL, NULL, -1, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM history)
)
ORDER BY position, moment, key
LIMIT :limit
