-- title: Release notes without a commit
-- why: What a project told that the store cannot follow to a commit, and why not
-- param project = docker: docker, runc, linux, or another source's project
-- param version = %: only this version, as written or as released, e.g. 27.0.1 or 20.10% (5.20 also finds 6.0)
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param reason = %: only notes with a reason like this, e.g. another%
-- param all = 0: 1 also lists what was found not to be about isolation
-- param limit = 200: how many at most, newest version first; -1 for all
--
-- The reason is the first that holds. A number of the own repository may stand for a pull request whose commits touch no
-- tracked path and name no mechanism, for one that never became a commit of this history (docs, an issue), or for a page's
-- own mistake: the store cannot tell these apart. Ties by title are ties; `notes` shows their scores.
WITH
asked AS (SELECT version FROM version_aliases WHERE project = :project AND said = :version),
told AS (
    SELECT n.*, coalesce(n.upstream, n.version) AS number, coalesce(n.date, date(r.date)) AS day
    FROM notes n
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE n.project = :project AND (n.seen_until IS NULL OR n.gone = 'page removed')
),
placed AS MATERIALIZED (
    SELECT id, number, release, min(day) OVER (PARTITION BY number) AS day, source, place, line, section, form,
           max(number LIKE :version OR version LIKE :version OR said LIKE :version
               OR EXISTS (SELECT 1 FROM asked a WHERE number = a.version OR number LIKE a.version || '-%'))
               OVER (PARTITION BY id) AS fits,
           row_number() OVER (PARTITION BY id ORDER BY seen_until IS NOT NULL, source, place, line, said, section) AS rank
    FROM told
),
untied AS MATERIALIZED (
    SELECT p.*, c.key, c.title
    FROM placed p JOIN changes c ON c.id = p.id
    WHERE p.rank = 1 AND p.fits AND p.id NOT IN (SELECT note_id FROM ties)
          AND (:all <> 0 OR p.id NOT IN (SELECT change_id FROM off_topic))
          AND (:mechanism = '%'
               OR p.id IN (SELECT change_id FROM change_mechanisms WHERE mechanism LIKE :mechanism))
),
histories AS MATERIALIZED (
    SELECT issue_url FROM sources WHERE project = :project AND kind IN ('git', 'demo') AND synced_at IS NOT NULL
),
-- A row for each reference, and one for a note without any.
pointers AS (
    SELECT u.*, r.type, r.value,
           r.type IN ('pull-request', 'issue')
           AND EXISTS (SELECT 1 FROM histories h
                       WHERE instr(h.issue_url, '/' || substr(r.value, 1, instr(r.value, '#') - 1) || '/') > 0) AS own
    FROM untied u
    LEFT JOIN refs r ON r.change_id = u.id AND r.type NOT IN ('part-of', 'replaces', 'message-id')
    ORDER BY u.id, r.type, r.value
),
summed AS (
    SELECT id, number, release, day, source, place, line, section, form, key, title, count(type) AS pointers,
           max(type IN ('commit', 'backport-of')) AS by_commit, max(own) AS own,
           max(type IN ('pull-request', 'issue')) AS numbered, max(type IN ('cve', 'advisory')) AS vulnerability,
           group_concat(CASE WHEN type IN ('commit', 'backport-of') THEN substr(value, 1, 12) ELSE value END, ', ') AS refers_to
    FROM pointers GROUP BY id
),
reasoned AS MATERIALIZED (
    SELECT s.*,
           CASE WHEN NOT EXISTS (SELECT 1 FROM histories) THEN 'no history of the project is in the store'
                WHEN release IS NULL THEN 'its release is not in the history that was read'
                WHEN by_commit THEN 'commit not in the store'
                WHEN own THEN 'number of the own repository, with no commit in the store'
                WHEN numbered THEN 'another repository'
                WHEN vulnerability THEN 'only a CVE or advisory'
                WHEN EXISTS (SELECT 1 FROM refs p WHERE p.change_id = s.id AND p.type = 'part-of')
                    THEN 'part of another note, no reference of its own'
                WHEN form = 'shortlog' THEN 'title of a commit that the store does not have'
                WHEN pointers > 0 THEN 'only a link or another project''s bug'
                ELSE 'no reference' END AS reason
    FROM summed s
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT r.number AS version, r.release, r.day AS date, r.section,
       (SELECT label FROM labels WHERE change_id = r.id AND axis = 'kind') AS kind,
       m.mechanisms,
       r.reason, r.refers_to, substr(r.key, 1, 12) AS id, r.title
FROM reasoned r
LEFT JOIN mechanisms_of m ON m.change_id = r.id
WHERE r.reason LIKE :reason
-- What no page or tag dates comes last.
ORDER BY r.day DESC, r.number, r.source, r.place, r.line, r.key
LIMIT :limit
