-- title: What you marked while reading
-- why: Your own marks, notes and ideas on changes, by mechanism, searchable by words
-- param words = %: only where note, title or message hold all of these words, e.g. freezer deadlock; % for any
-- param mark = %: interesting, not relevant, idea or note; read lists what was only read
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param project = %: only this project: linux, docker, ...
-- param limit = 500: how many at most, newest first; -1 for all
--
-- These are a mirror of your own file of marks (`kminer read` names it), as it was at the last `kminer read`, `sync` or
-- `classify`. A mark on a change that this database does not hold is listed without its title. Marks that were taken
-- back are not in it. `mechanisms` are the change's labels.
WITH RECURSIVE
parts(word, rest) AS (
    SELECT '', trim(replace(:words, '%', ' ')) || ' '
    UNION ALL
    SELECT substr(rest, 1, instr(rest, ' ') - 1), ltrim(substr(rest, instr(rest, ' ') + 1)) FROM parts WHERE rest <> ''
),
asked AS (SELECT word FROM parts WHERE word <> ''),
named AS (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms, max(mechanism LIKE :mechanism) AS meant
    FROM (SELECT m.change_id, m.mechanism FROM marks k
          CROSS JOIN changes c ON c.key = k.key AND c.source = k.source
          CROSS JOIN change_mechanisms m ON m.change_id = c.id
          GROUP BY m.change_id, m.mechanism ORDER BY m.change_id, m.mechanism)
    GROUP BY change_id
)
SELECT date(k.marked_at) AS marked, k.mark, k.note, n.mechanisms, v.release, date(c.date) AS date, k.source,
       CASE WHEN instr(k.key, '@') THEN k.key ELSE substr(k.key, 1, 12) END AS id,
       coalesce(c.title, '(this database does not hold it)') AS title, v.link
FROM marks k
LEFT JOIN changes c ON c.source = k.source AND c.key = k.key
LEFT JOIN changes_with_release v ON v.id = c.id
LEFT JOIN sources s ON s.id = k.source
LEFT JOIN named n ON n.change_id = c.id
WHERE CASE WHEN :mark = 'read' THEN 1 ELSE k.mark <> 'read' END AND k.mark LIKE :mark
      AND (:mark <> 'read' OR NOT EXISTS (SELECT 1 FROM marks o
                                          WHERE o.source = k.source AND o.key = k.key AND o.mark <> 'read'))
      AND (:mechanism = '%' OR n.meant = 1) AND (:project = '%' OR s.project LIKE :project)
      AND NOT EXISTS (SELECT 1 FROM asked
                      WHERE instr(lower(k.note || ' ' || coalesce(c.title, '') || ' ' || coalesce(c.text, '')),
                                  lower(asked.word)) = 0)
ORDER BY k.marked_at DESC, k.source, k.key, k.mark, k.note
LIMIT :limit
