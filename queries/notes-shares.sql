-- title: What release notes speak of, and which kernels they name
-- why: Whether notes speak of a mechanism, of storage, or of kernels at all: shares to judge such remarks by
-- param project = docker: docker, runc, or another source's project
-- param since = 0: only notes of versions of this year and later
--
-- Each note counts once, also those found not to be about isolation: shares are of all that was told. Mechanisms are
-- labels, words are plain text ("overlay" is also a network driver). That a note names a kernel is told by a plainer rule
-- than that of `kernel-versions` (set type=note there to read them): a number right beside "kernel" or "Linux".
WITH
told AS MATERIALIZED (
    SELECT n.id, lower(max(n.text)) AS text
    FROM notes n
    LEFT JOIN releases r ON r.source = n.history AND r.tag = n.release
    WHERE n.project = :project AND (n.seen_until IS NULL OR n.gone = 'page removed')
          AND CAST(substr(coalesce(n.date, r.date, ''), 1, 4) AS INTEGER) >= :since
    GROUP BY n.id
),
-- Distributions go, and what may stand between word and number: "kernels >= v4.0" becomes "kernel4.0". Before the word a
-- number keeps what stands before it: "RHEL 7 4.18 kernels" is not "74.18kernel".
plain AS (
    SELECT id, ' ' || replace(replace(replace(replace(replace(replace(text, char(10), ' '), 'kernels', 'kernel'),
                      'alpine linux', ''), 'oracle linux', ''), 'enterprise linux', ''), 'amazon linux', '') AS text
    FROM told WHERE text LIKE '%kernel%' OR text LIKE '%linux%'
),
squeezed AS MATERIALIZED (
    SELECT id, replace(replace(replace(replace(text, '+', ''), '`', ''), ' kernel', 'kernel'), ' linuxk', 'linuxk') AS before,
           replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(text, 'headers', ''),
                   'versions', ''), 'version', ''), ' ', ''), '`', ''), '(', ''), '<', ''), '>', ''), '=', ''), ':', ''),
                   'v', '') AS after
    FROM plain
),
forms(form, newer) AS (VALUES ('[23].[0-9]', 0), ('[4-7].[0-9]', 1)),
naming AS MATERIALIZED (
    SELECT q.id, max(f.newer) AS newer
    FROM squeezed q
    JOIN forms f ON q.after GLOB '*kernel' || f.form || '*' OR q.after GLOB '*linux' || f.form || '*'
         OR q.before GLOB '*[^0-9.]' || f.form || 'kernel*' OR q.before GLOB '*[^0-9.]' || f.form || '[0-9]kernel*'
         OR q.before GLOB '*[^0-9.]' || f.form || 'linuxkernel*' OR q.before GLOB '*[^0-9.]' || f.form || '[0-9]linuxkernel*'
    GROUP BY q.id
),
words(position, word) AS (VALUES
    (1, 'overlay'), (2, 'overlay2'), (3, 'overlayfs'), (4, 'aufs'), (5, 'btrfs'), (6, 'devicemapper'), (7, 'device mapper'),
    (8, 'zfs'), (9, 'storage driver'), (10, 'graphdriver'), (11, 'namespace'), (12, 'userns'), (13, 'rootless'),
    (14, 'cgroup'), (15, 'seccomp'), (16, 'apparmor'), (17, 'selinux'), (18, 'capabilit'), (19, 'kernel')
),
grouped AS (
    SELECT 0 AS rank, 0 AS position, 'all' AS grouped_by, '(all)' AS name, id FROM told
    UNION ALL
    SELECT DISTINCT 1, 0, 'family', substr(m.mechanism, 1, instr(m.mechanism, '.')) || '*', t.id
    FROM told t JOIN change_mechanisms m ON m.change_id = t.id
    UNION ALL
    SELECT 2, 0, 'mechanism', coalesce(m.mechanism, '(no mechanism)'), t.id
    FROM told t LEFT JOIN change_mechanisms m ON m.change_id = t.id
    UNION ALL
    SELECT 3, w.position, 'word', w.word, t.id FROM words w JOIN told t ON instr(t.text, w.word) > 0
)
SELECT g.grouped_by, g.name, count(*) AS notes,
       round(100.0 * count(*) / (SELECT count(*) FROM told), 1) AS percent_of_notes,
       count(k.id) AS naming_a_kernel,
       round(100.0 * count(k.id) / nullif((SELECT count(*) FROM naming), 0), 1) AS percent_of_naming,
       coalesce(sum(k.newer), 0) AS naming_4_or_newer,
       round(100.0 * coalesce(sum(k.newer), 0) / nullif((SELECT sum(newer) FROM naming), 0), 1) AS percent_of_newer
FROM grouped g
LEFT JOIN naming k ON k.id = g.id
GROUP BY g.rank, g.position, g.grouped_by, g.name
ORDER BY g.rank, g.position, notes DESC, g.name
