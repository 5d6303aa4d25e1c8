-- title: Release notes
-- why: What a project told its users release by release, by topic, and the commits that each note speaks of
-- param project = docker: docker, runc, linux, or another source's project
-- param version = %: only this version, as written or as released, e.g. 27.0.1 or 20.10% (5.20 also finds 6.0)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param kind = %: only this kind: feature, bug, performance, reliability or maintenance
-- param words = %: only notes whose text is like this, e.g. %overlay2% (% stands for anything)
-- param all = 0: 1 also lists what was found not to be about isolation
-- param limit = 200: how many at most, newest version first; -1 for all
--
-- One row a note, however many pages tell it. `changes` are the commits and merges that it is tied to, `tied_id` the
-- surest of them; a score below 1 is a likeness of titles, which may err. A note without a tie is not without a commit:
-- `notes-without-commit` says what is known. Notes that were edited or dropped are in `note-edits`.
WITH
asked AS (SELECT version FROM version_aliases WHERE project = :project AND said = :version),
-- One row a place.
told AS (
    SELECT n.*, coalesce(n.upstream, n.version) AS number, coalesce(n.date, date(r.date)) AS day
    FROM notes n
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE n.project = :project AND (n.seen_until IS NULL OR n.gone = 'page removed')
),
-- Pages may give one version several days: the earliest. The first place that tells a note speaks for it.
placed AS MATERIALIZED (
    SELECT id, number, release, min(day) OVER (PARTITION BY number) AS day, source, place, line, section,
           max(sign) OVER (PARTITION BY id) AS sign, count(*) OVER (PARTITION BY id) AS places,
           max(number LIKE :version OR version LIKE :version OR said LIKE :version
               OR EXISTS (SELECT 1 FROM asked a WHERE number = a.version OR number LIKE a.version || '-%'))
               OVER (PARTITION BY id) AS fits,
           row_number() OVER (PARTITION BY id ORDER BY seen_until IS NOT NULL, source, place, line, said, section) AS rank
    FROM told
),
found AS MATERIALIZED (
    SELECT p.*, c.key, c.title
    FROM placed p JOIN changes c ON c.id = p.id
    WHERE p.rank = 1 AND p.fits AND c.text LIKE :words
          AND (:all <> 0 OR p.id NOT IN (SELECT change_id FROM off_topic))
          AND (:mechanism = '%'
               OR p.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
),
-- The surest tie; a merge before what it merged, then the oldest.
tied AS (
    SELECT t.note_id, t.tied_by, t.score, c.key,
           row_number() OVER (PARTITION BY t.note_id ORDER BY t.score DESC, t.tied_by = 'cve', c.type = 'commit',
                              c.date, c.key, t.tied_by) AS rank
    FROM ties t JOIN changes c ON c.id = t.change_id
),
surest AS MATERIALIZED (
    SELECT t.note_id, t.tied_by, t.score, t.key, n.changes
    FROM tied t JOIN (SELECT note_id, count(DISTINCT change_id) AS changes FROM ties GROUP BY note_id) n
         ON n.note_id = t.note_id
    WHERE t.rank = 1
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT f.number AS version, f.release, f.day AS date, f.section, f.sign, coalesce(k.label, '(not labelled)') AS kind,
       m.mechanisms,
       substr(f.key, 1, 12) AS id, f.title, coalesce(t.changes, 0) AS changes, substr(t.key, 1, 12) AS tied_id,
       t.tied_by, t.score, f.places, f.source, f.place
FROM found f
LEFT JOIN labels k ON k.change_id = f.id AND k.axis = 'kind'
LEFT JOIN surest t ON t.note_id = f.id
LEFT JOIN mechanisms_of m ON m.change_id = f.id
WHERE coalesce(k.label, '(not labelled)') LIKE :kind
-- What no page or tag dates comes last.
ORDER BY f.day DESC, f.number, f.source, f.place, f.line, f.key
LIMIT :limit
