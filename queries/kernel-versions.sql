-- title: Changes that name a version of Linux
-- why: Which kernels the engine leans on or works around: "kernel 4.0", "Linux 5.11", "on 3.10 kernels"
-- param project = docker: docker, runc, containerd, or another source's project
-- param version = %: only versions like this, e.g. 4.18% or 5.% (% stands for anything)
-- param type = %: only changes of this type: commit, merge, pull or note (release notes)
-- param limit = 200: how many at most, newest change first; -1 for all
--
-- Not seen: a kernel that is named by its distribution or by a year, a version without the word kernel or Linux within
-- some 30 characters, and what a heading says. A release note that was edited counts as it reads now, told in several
-- places it counts once.
WITH RECURSIVE
-- One line a message: a version in the next paragraph or list item belongs to something else.
-- Nobody names a kernel only after 20,000 characters. A pick says what its original says: the original counts.
messages AS MATERIALIZED (
    SELECT c.id,
           replace(replace(replace(replace(replace(replace(' ' || substr(c.text, 1, 20000) || ' ', char(13), ''),
                   char(10, 10), ' ¶ '), char(10) || '- ', ' ¶ '), char(10) || '* ', ' ¶ '),
                   char(10), ' '), char(9), ' ') AS line
    FROM changes c JOIN sources s ON s.id = c.source
    WHERE s.project = :project AND c.reachable = 1 AND c.type LIKE :type
          AND (c.text LIKE '%kernel%' OR c.text LIKE '%linux%')
          AND (c.type IN ('commit', 'merge', 'pull') OR c.id IN (SELECT change_id FROM note_places
                                            WHERE seen_until IS NULL OR gone = 'page removed'))
          AND NOT EXISTS (SELECT 1 FROM refs b JOIN changes o ON o.source = c.source AND o.key = b.target
                          WHERE b.change_id = c.id AND b.type = 'backport-of')
),
-- Where either word stands: `behind` is the position after it. lower() keeps positions: it changes ASCII only.
places(id, small, word, behind) AS (
    SELECT m.id, lower(m.line), w.word, instr(lower(m.line), w.word) + length(w.word)
    FROM messages m JOIN (SELECT 'kernel' AS word UNION ALL SELECT 'linux') w ON instr(lower(m.line), w.word) > 0
    UNION ALL
    SELECT id, small, word, behind - 1 + instr(substr(small, behind), word) + length(word)
    FROM places
    WHERE instr(substr(small, behind), word) > 0
),
windows AS (
    SELECT id, word, behind, substr(small, behind, 50) AS after,
           substr(small, max(1, behind - length(word) - 30), min(30, behind - length(word) - 1)) AS before
    FROM places
),
-- "kernel 4.0", "kernels: 3.10+", "kernel headers >= 4.12", "kernels older than v4.0", "kernel version >= 3.10",
-- "Linux 5.11": what may stand between is dropped.
following AS (
    SELECT id, behind, word, before,
           ltrim(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
                 CASE WHEN after LIKE 's %' OR after LIKE 's:%' THEN substr(after, 2) ELSE after END,
                 ' headers ', ' '), 'versions', ' '), 'version', ' '), 'newer than', ' '), 'older than', ' '), 'greater than', ' '),
                 'lower than', ' '), 'less than', ' '), 'prior to', ' '), ' before ', ' '), ' since ', ' '),
                 'at least', ' '), ' v:<>=~("`''-') AS rest
    FROM windows
),
-- "3.10 kernel", "4.8+ kernels", "v5.12 Linux kernel": the number ends where the word begins.
preceding AS (
    SELECT id, behind,
           rtrim(CASE WHEN before LIKE '% linux ' THEN substr(before, 1, length(before) - 6) ELSE before END, ' +') AS rest
    FROM windows
    WHERE word = 'kernel' AND (before LIKE '% ' OR before LIKE '%+')
),
numbers AS (
    SELECT id, behind, rtrim(substr(rest, 1, length(rest) - length(ltrim(rest, '0123456789.'))), '.') AS number
    FROM following
    WHERE rest GLOB '[2-7].[0-9]*'
          -- No units, rates or other names: "4.5gb", "2.4 times", "4.0%"; but "4.9.x" and "3.18.y" are lines.
          AND (ltrim(rest, '0123456789.') NOT GLOB '[a-z%_]*' OR rest GLOB '[2-7].*[0-9].[xy]*')
          AND ltrim(rest, '0123456789.') NOT GLOB ' [gmk]b*' AND ltrim(rest, '0123456789.') NOT GLOB ' times*'
          -- Linux with a word before it may be a distribution, which counts otherwise: "Alpine Linux 3.6".
          AND CASE WHEN word = 'kernel' THEN before NOT GLOB '*[a-z0-9_]'
                   ELSE before GLOB '*[ (">=`]' AND before NOT GLOB '*alpine *' AND before NOT GLOB '*oracle *'
                        AND before NOT GLOB '*enterprise *' AND before NOT GLOB '*amazon *'
                        AND before NOT GLOB '*suse *'
                        AND before NOT GLOB '*arch *' AND before NOT GLOB '*rocky *' AND before NOT GLOB '*alma *'
                        AND before NOT GLOB '*scientific *' AND before NOT GLOB '*azure *' AND before NOT GLOB '*rhel *' END
    UNION ALL
    SELECT id, behind, number
    FROM (SELECT id, behind, substr(rest, length(rtrim(rest, '0123456789.')) + 1) AS number,
                 rtrim(rest, '0123456789.') AS head
          FROM preceding)
    WHERE number GLOB '[2-7].[0-9]*' AND number NOT LIKE '%.'
          AND (head GLOB '*[ (<>=~"`]' OR head GLOB '*[^a-z]v' OR head GLOB '*pre-')
          -- "RHEL 7.4 kernels", "Alpine 3.10 kernel" name a distribution; "RHEL 3.10 kernels" a kernel.
          AND NOT (number GLOB '[5-7].*'
                   AND (rtrim(head) GLOB '*rhel' OR rtrim(head) GLOB '*centos' OR rtrim(head) GLOB '*linux'
                        OR rtrim(head) GLOB '*hat' OR rtrim(head) GLOB '*debian' OR rtrim(head) GLOB '*sles'))
          AND rtrim(head) NOT GLOB '*alpine' AND rtrim(head) NOT GLOB '*golang' AND rtrim(head) NOT GLOB '*systemd'
),
-- 2.6 and 3.0 to 7.x; no line had more than 20 versions. Four numbers are an address, but for 2.6.32.27.
versions AS (
    SELECT id, behind, number
    FROM numbers
    WHERE number || '.' GLOB '2.6.*' AND number NOT LIKE '%..%'
          OR (number || '.' GLOB '[3-7].[0-9].*' OR number || '.' GLOB '[3-7].1[0-9].*' OR number || '.' GLOB '[3-7].20.*')
             AND number NOT LIKE '%..%' AND number NOT LIKE '%.%.%.%'
),
-- Once a change and version, where it is named first.
named AS (
    SELECT id, number, min(behind) AS behind FROM versions WHERE number LIKE :version GROUP BY id, number
),
-- Once for all: asking the view change by change would be slow.
mechanisms_of AS MATERIALIZED (
    SELECT change_id, group_concat(mechanism, ', ') AS mechanisms
    FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
    GROUP BY change_id
)
SELECT n.number AS kernel, coalesce(c.first_final, c.first_rc) AS release, date(c.date) AS date, c.type,
       o.mechanisms,
       substr(c.key, 1, 12) AS id, c.title, trim(substr(m.line, max(1, n.behind - 45), 90)) AS excerpt,
       nullif(replace(s.commit_url, '{id}', c.key), '') AS link
FROM named n
JOIN messages m ON m.id = n.id
JOIN changes c ON c.id = n.id
JOIN sources s ON s.id = c.source
LEFT JOIN mechanisms_of o ON o.change_id = n.id
ORDER BY c.date DESC, c.key, n.behind, n.number
LIMIT :limit
