-- title: Research gaps, ranked
-- why: Where nobody has solved it yet: open claims, proposals never merged, unbounded resources and more, with evidence
-- param project = linux: linux, or an engine's project
-- param mechanism = %: only this mechanism, e.g. cg.memory, or a family such as ns.%
-- param type = %: only this type: claim, proposal, resource, breaking, cost, feature, pair, untold or topic
-- param claims = 3: weight of claims that the catalogue does not hold for answered
-- param proposals = 3: weight of proposals that came again and again and were never merged
-- param resources = 3: weight of resources without namespace, charge or limit
-- param breaking = 2: weight of mechanisms that keep breaking
-- param costs = 2: weight of performance work that is proposed and not merged
-- param features = 1: weight of kernel features that no engine names
-- param pairs = 1: weight of mechanisms and dimensions that are never touched together
-- param untold = 1: weight of what the newest release changed and no note says
-- param topics = 1: weight of topics that fewer and fewer changes are about
-- param open = 1: weight of how long it has been open
-- param wanted = 2: weight of how much it is wanted, or hurts
-- param quiet = 1: weight of how little is done about it
-- param years = 3: lately means: in so many years before the newest day that was read
-- param limit = 50: how many at most, highest score first; -1 for all
--
-- score = 100 x weight of the type / 3 x sure x (open x its weight + wanted x its weight + quiet x its weight) / the sum of
-- these weights. `open`, `wanted`, `quiet` and `sure` lie between 0 and 1, and `terms` says what they were made of:
-- claim: years since the work / 10; works with such a claim / 5; 1 less a tenth per change with its terms lately, 0 where
-- nothing was read of the time since.
-- proposal: years since it was first posted / 10; (postings + who posted it or its like + reviews) / 12; years since the
-- newest version / 3. resource: years since the oldest work on it / 10; works / 3 (half for one from memory); as for
-- claims. breaking: bugs / (bugs + features); bugs mended / 200; fixes of fixes and reverts / 20. cost: years since the
-- last merge / 10; series never merged / 10; 1 less a tenth per commit or merged series lately. feature: years since its
-- release / 10; claims it bears on / 3; 1. pair: 0.5; expected / 100; 1. untold: years since the release / 10; commits /
-- 50; 1. topic: 0.5; changes of the years before / 100; 1 less the share that is left. `sure` is the confidence of the
-- claim or resource (0.9, 0.6, 0.3), half of it for a feature, as use without a name is not seen; that of the verdict on a
-- series; and 0.6 of counts, 0.3 of those for pairs and topics.
-- The rank orders what to look at first; it proves nothing. `ask` gives the whole evidence, and the head of that query what
-- it cannot see. Each row's ids open with `kminer show`.
WITH
here AS MATERIALIZED (
    SELECT max(last_day) AS today, date(max(last_day), '-' || :years || ' years') AS lately,
           date(max(last_day), '-' || (2 * :years) || ' years') AS before
    FROM read_to WHERE project = :project
),
sureness(word, value) AS (VALUES ('high', 0.9), ('medium', 0.6), ('low', 0.3)),
relevant AS MATERIALIZED (
    SELECT c.id, c.type, date(c.date) AS day, CASE c.type WHEN 'commit' THEN substr(c.key, 1, 12) ELSE c.key END AS short
    FROM sources s
    CROSS JOIN changes c ON c.source = s.id
    CROSS JOIN labels l ON l.change_id = c.id AND l.axis = 'relevant' AND l.label = 'yes'
    WHERE s.project = :project AND c.type IN ('commit', 'patch') AND c.reachable = 1 AND c.date IS NOT NULL
),
mechanism_of AS MATERIALIZED (
    SELECT r.id, r.type, r.day, r.short, l.label AS mechanism
    FROM relevant r CROSS JOIN labels l ON l.change_id = r.id AND l.axis = 'mechanism'
),
hits AS MATERIALIZED (
    SELECT c.id, date(c.date) AS day, CASE WHEN c.type IN ('patch', 'cover') THEN c.key ELSE substr(c.key, 1, 12) END AS short
    FROM changes c
    WHERE c.id IN (SELECT change_id FROM claim_changes UNION SELECT change_id FROM resource_changes)
          AND c.reachable = 1 AND c.id NOT IN (SELECT change_id FROM off_topic)
),
claim_rows AS (
    SELECT 'claim' AS type, q.id, q.statement AS title, q.mechanisms, q.dimension,
           (julianday(h.today) - julianday(p.published)) / 3652.5 AS open,
           (SELECT count(DISTINCT o.paper) FROM claims o JOIN claim_mechanisms a ON a.claim = o.id
            JOIN claim_mechanisms b ON b.mechanism = a.mechanism AND b.claim = q.id
            WHERE o.dimension = q.dimension AND o.kind IN ('gap', 'cost')) / 5.0 AS wanted,
           CASE WHEN h.today > p.published THEN 1 - count(DISTINCT CASE WHEN c.day >= h.lately THEN c.id END) / 10.0
                ELSE 0 END AS quiet, s.value AS sure,
           q.kind || CASE p.year WHEN 0 THEN ', followed from ' || p.published ELSE ' of ' || p.year END || '; answered by the catalogue''s judgement: ' || q.answer || '; '
               || CASE WHEN h.today > p.published
                       THEN 'changes with its terms since: ' || count(DISTINCT CASE WHEN c.day > p.published THEN c.id END)
                       ELSE 'nothing was read of the time since' END AS evidence,
           max(CASE WHEN c.day > p.published THEN c.day || ' ' || c.short END) AS newest,
           'query claims-followed --set claim=' || q.id AS ask
    FROM here h
    CROSS JOIN claims q
    JOIN papers p ON p.id = q.paper
    JOIN sureness s ON s.word = q.confidence
    LEFT JOIN claim_changes f ON f.claim = q.id
    LEFT JOIN hits c ON c.id = f.change_id
    WHERE q.kind IN ('gap', 'cost') AND q.answer IN ('no', 'partly', 'unknown') AND p.published <> ''
          AND (:project = 'linux') = NOT EXISTS (SELECT 1 FROM claim_mechanisms w WHERE w.claim = q.id
                                                 AND (w.mechanism LIKE 'mgmt.%' OR w.mechanism = 'fs.driver'))
    GROUP BY q.id
),
unmerged AS MATERIALIZED (SELECT * FROM unmerged_series WHERE project = :project),
series_of AS MATERIALIZED (
    SELECT series_id, group_concat(CASE axis WHEN 'mechanism' THEN label END, ' ') AS mechanisms,
           group_concat(CASE axis WHEN 'dimension' THEN label END, ' ') AS dimensions,
           max(axis = 'kind' AND label = 'performance') AS performance
    FROM (SELECT * FROM series_labels ORDER BY series_id, axis, label) GROUP BY series_id
),
proposal_rows AS (
    SELECT 'proposal', p.key, p.title, coalesce(l.mechanisms, ''), coalesce(l.dimensions, ''),
           (julianday(h.today) - julianday(p.first_date)) / 3652.5, (p.postings + p.wanted_by + p.reviews) / 12.0,
           (julianday(h.today) - julianday(p.last_date)) / 1095.75, p.confidence,
           p.postings || ' postings in ' || p.span_days || ' days, wanted by ' || p.wanted_by || ', ' || p.replies
               || ' answers, ' || p.reviews || ' reviews; last word by ' || p.last_word_by,
           date(p.last_word_date) || ' ' || p.key, 'show ' || p.key
    FROM here h CROSS JOIN unmerged p LEFT JOIN series_of l ON l.series_id = p.id
    WHERE p.postings >= 3 OR (p.rfc > 0 AND p.wanted_by >= 2)
),
cited AS (
    SELECT r.resource, sum(CASE r.recalled WHEN 1 THEN 0.5 ELSE 1 END) AS works, count(*) AS n, min(p.published) AS oldest
    FROM resource_papers r JOIN papers p ON p.id = r.paper WHERE p.published <> '' GROUP BY r.resource
),
resource_rows AS (
    SELECT 'resource', r.id, r.title, '', r.area, coalesce((julianday(h.today) - julianday(w.oldest)) / 3652.5, 0.5),
           coalesce(w.works, 0) / 3.0, 1 - count(DISTINCT CASE WHEN c.day >= h.lately THEN c.id END) / 10.0, s.value,
           'namespaced: ' || r.namespaced || '; charged: ' || r.charged || '; limited: ' || r.limited || '; works on it: '
               || coalesce(w.n, 0) || '; at exhaustion: ' || r.at_exhaustion,
           max(c.day || ' ' || c.short), 'query unbounded-resources --set area=' || r.area
    FROM here h
    CROSS JOIN resources r
    JOIN sureness s ON s.word = r.confidence
    LEFT JOIN cited w ON w.resource = r.id
    LEFT JOIN resource_changes f ON f.resource = r.id
    LEFT JOIN hits c ON c.id = f.change_id
    WHERE :project = 'linux' AND r.namespaced = 'no' AND r.charged = 'no' AND r.kind NOT IN ('view', 'setting')
          AND r.limited IN ('none', 'global', 'global none', 'none global')
    GROUP BY r.id
),
mended AS MATERIALIZED (
    SELECT x.fix_id, max(x.bug_id IN (SELECT fix_id FROM fixes WHERE bug_id IS NOT NULL)) AS again
    FROM fixes x WHERE x.bug_id IS NOT NULL AND x.bug_id <> x.fix_id GROUP BY x.fix_id
),
kinds AS (
    SELECT m.mechanism, sum(k.label = 'bug') AS bugs, sum(k.label = 'feature') AS features,
           sum(coalesce(f.again, 0)) AS again, sum(v.label IS NOT NULL) AS reverts,
           max(CASE WHEN k.label = 'bug' THEN m.day || ' ' || m.short END) AS newest
    FROM mechanism_of m
    JOIN labels k ON k.change_id = m.id AND k.axis = 'kind'
    LEFT JOIN labels v ON v.change_id = m.id AND v.axis = 'flag' AND v.label = 'revert'
    LEFT JOIN mended f ON f.fix_id = m.id
    WHERE m.type = 'commit'
    GROUP BY m.mechanism HAVING sum(k.label = 'bug') >= 10
),
breaking_rows AS (
    SELECT 'breaking', substr(newest, 12), mechanism || ' keeps breaking', mechanism, '', 1.0 * bugs / (bugs + features),
           bugs / 200.0, (again + reverts) / 20.0, 0.6,
           bugs || ' bugs mended, ' || features || ' features added, ' || again || ' fixes of fixes, ' || reverts || ' reverts',
           newest, 'query keeps-breaking --set mechanism=' || mechanism
    FROM kinds
),
faster AS (
    SELECT m.mechanism, max(m.day) AS day, sum(m.day >= h.lately) AS lately
    FROM here h CROSS JOIN mechanism_of m JOIN labels k ON k.change_id = m.id AND k.axis = 'kind' AND k.label = 'performance'
    WHERE m.type = 'commit' OR EXISTS (SELECT 1 FROM landings g WHERE g.change_id = m.id)
    GROUP BY m.mechanism
),
cost_rows AS (
    SELECT 'cost', substr(max(date(p.last_date) || ' ' || p.key), 12), 'performance work on ' || l.label || ' does not get in',
           l.label, '', coalesce((julianday(h.today) - julianday(f.day)) / 3652.5, 1), count(*) / 10.0,
           1 - coalesce(f.lately, 0) / 10.0, 0.6,
           count(*) || ' series never merged; last merge: ' || coalesce(f.day, 'none seen') || '; merged lately: '
               || coalesce(f.lately, 0),
           max(date(p.last_date) || ' ' || p.key),
           'query proposals-unmerged --set postings=1 --set kind=performance --set mechanism=' || l.label
    FROM here h
    CROSS JOIN unmerged p
    JOIN series_of o ON o.series_id = p.id AND o.performance
    JOIN series_labels l ON l.series_id = p.id AND l.axis = 'mechanism'
    LEFT JOIN faster f ON f.mechanism = l.label
    GROUP BY l.label
),
feature_rows AS (
    SELECT 'feature', f.id, 'No engine names ' || f.title, f.mechanisms, '',
           (julianday(h.today) - julianday(f.date)) / 3652.5,
           (SELECT count(*) FROM claim_features a WHERE a.feature = f.id AND a.role = 'answers') / 3.0, 1.0, s.value / 2,
           'in Linux since ' || f.since || ' (' || f.date || ')', f.date || ' ' || f.id, 'query unused-features --set mechanism='
               || substr(f.mechanisms || ' ', 1, instr(f.mechanisms || ' ', ' ') - 1)
    FROM here h CROSS JOIN features f JOIN sureness s ON s.word = f.confidence
    WHERE :project = 'linux' AND f.project = 'linux' AND f.date IS NOT NULL AND f.id NOT LIKE 'req.%' AND f.id NOT LIKE 'view.%'
          AND EXISTS (SELECT 1 FROM sources e WHERE e.project <> 'linux' AND e.demo = 0 AND e.synced_at IS NOT NULL)
          AND f.id NOT IN (SELECT m.feature FROM feature_mentions m JOIN changes c ON c.id = m.change_id
                           JOIN sources e ON e.id = c.source WHERE e.project <> 'linux')
),
dimension_of AS MATERIALIZED (
    SELECT r.id, l.label AS dimension FROM relevant r CROSS JOIN labels l ON l.change_id = r.id AND l.axis = 'dimension'
),
many_mechanisms AS (
    SELECT mechanism, count(*) AS n, max(day || ' ' || short) AS newest FROM mechanism_of GROUP BY mechanism
),
many_dimensions AS (SELECT dimension, count(*) AS n FROM dimension_of GROUP BY dimension),
met AS MATERIALIZED (
    SELECT DISTINCT m.mechanism, d.dimension FROM mechanism_of m JOIN dimension_of d ON d.id = m.id
),
pair_rows AS (
    SELECT 'pair', substr(m.newest, 12), m.mechanism || ' and ' || d.dimension || ' are never touched together', m.mechanism,
           d.dimension, 0.5, 1.0 * m.n * d.n / w.n / 100.0, 1.0, 0.3,
           m.n || ' changes of the one, ' || d.n || ' of the other, none of both; expected by chance: '
               || CAST(round(1.0 * m.n * d.n / w.n) AS INTEGER),
           m.newest, 'query untouched-pairs --set mechanism=' || m.mechanism
    FROM (SELECT count(*) AS n FROM relevant) w CROSS JOIN many_mechanisms m CROSS JOIN many_dimensions d
    WHERE m.n >= 20 AND d.n >= 20 AND 1.0 * m.n * d.n / w.n >= 5
          AND NOT EXISTS (SELECT 1 FROM met t WHERE t.mechanism = m.mechanism AND t.dimension = d.dimension)
),
newest_release AS MATERIALIZED (
    SELECT n.history AS source, n.release AS tag, max(r.position) AS position, date(r.date) AS day
    FROM notes n JOIN releases r ON r.source = n.history AND r.tag = n.release AND r.kind = 'final'
    WHERE n.project = :project
),
untold_rows AS (
    SELECT 'untold', substr(max(date(c.date) || ' ' || c.key), 12, 12),
           r.tag || ' changed ' || m.mechanism || ' and no note says so', m.mechanism, '',
           (julianday(h.today) - julianday(r.day)) / 3652.5, count(*) / 50.0, 1.0, 0.6,
           count(*) || ' commits of ' || r.tag || ' that no note is tied to', substr(max(date(c.date) || ' ' || c.key), 1, 23),
           'query silent-changes --set project=' || :project || ' --set release=' || r.tag || ' --set mechanism=' || m.mechanism
    FROM here h
    CROSS JOIN newest_release r
    CROSS JOIN changes c ON c.source = r.source AND c.first_final = r.tag
    CROSS JOIN mechanism_of m ON m.id = c.id
    WHERE c.type = 'commit' AND c.id NOT IN (SELECT change_id FROM ties)
    GROUP BY m.mechanism
),
paces AS (
    SELECT m.mechanism, m.type, sum(m.day >= h.lately) AS now, sum(m.day < h.lately AND m.day >= h.before) AS then_,
           max(m.day || ' ' || m.short) AS newest
    FROM here h CROSS JOIN mechanism_of m GROUP BY m.mechanism, m.type
),
topic_rows AS (
    SELECT 'topic', substr(newest, instr(newest, ' ') + 1), mechanism || ' is falling silent', mechanism, '', 0.5,
           then_ / 100.0, 1 - 1.0 * now / then_, 0.3,
           now || ' ' || CASE type WHEN 'patch' THEN 'patches' ELSE 'commits' END || ' in the last ' || :years
               || ' years, ' || then_ || ' in as many before', newest,
           'query trends --set measure=count --set project=' || :project || ' --set type=' || type
    FROM paces WHERE then_ >= 20 AND now * 2 <= then_
),
every(type, id, title, mechanisms, dimension, open, wanted, quiet, sure, evidence, newest, ask, weight) AS (
    SELECT *, :claims FROM claim_rows UNION ALL SELECT *, :proposals FROM proposal_rows
    UNION ALL SELECT *, :resources FROM resource_rows UNION ALL SELECT *, :breaking FROM breaking_rows
    UNION ALL SELECT *, :costs FROM cost_rows UNION ALL SELECT *, :features FROM feature_rows
    UNION ALL SELECT *, :pairs FROM pair_rows UNION ALL SELECT *, :untold FROM untold_rows
    UNION ALL SELECT *, :topics FROM topic_rows
),
bounded AS MATERIALIZED (
    SELECT type, id, title, mechanisms, dimension, round(min(max(open, 0), 1), 2) AS open,
           round(min(max(wanted, 0), 1), 2) AS wanted, round(min(max(quiet, 0), 1), 2) AS quiet, round(sure, 2) AS sure,
           evidence, newest, ask, weight
    FROM every
    WHERE (SELECT today FROM here) IS NOT NULL AND type LIKE :type AND (:mechanism = '%' OR ' ' || mechanisms || ' ' LIKE '% ' || :mechanism || ' %')
),
scored AS (
    SELECT *, round(100.0 * weight / 3 * sure * (:open * open + :wanted * wanted + :quiet * quiet)
                    / max(:open + :wanted + :quiet, 1), 1) AS score
    FROM bounded
)
SELECT rank, score, type, title, mechanisms, dimension, evidence, id, newest_id, newest_date, open, wanted, quiet, sure, ask
FROM (
    SELECT row_number() OVER (ORDER BY score DESC, type, id, title) AS rank, score, type, title,
           replace(mechanisms, ' ', ', ') AS mechanisms, dimension, evidence, id, substr(newest, 12, 200) AS newest_id,
           substr(newest, 1, 10) AS newest_date, open, wanted, quiet, sure, 'kminer ' || ask AS ask
    FROM scored
    UNION ALL
    -- An empty answer must mean that no gap was found, never that nothing was read.
    SELECT 0, NULL, NULL, 'Nothing of ' || :project || ' is in this database; `kminer sync` reads it.', NULL, NULL, NULL, NULL,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM here WHERE today IS NULL
    UNION ALL
    SELECT 0, NULL, NULL, 'No change of ' || :project || ' is labelled: only claims, proposals, resources and features are '
           || 'ranked. `kminer classify` labels.', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM here WHERE today IS NOT NULL AND NOT EXISTS (SELECT 1 FROM relevant)
)
ORDER BY rank
LIMIT :limit
