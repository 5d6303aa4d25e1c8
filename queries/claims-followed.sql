-- title: Claims of works, and what has happened since
-- why: Which published gap is closed, worked on or left alone: per claim what landed, changed and was proposed, and a verdict
-- param paper = %: only this work, e.g. iron-2018
-- param claim = %: only this claim, e.g. iron-2018.1
-- param kind = %: only this kind: gap, cost, praise or design
-- param verdict = %: only this verdict: answered, being worked on, silent or cannot tell
-- param years = 3: being worked on means in the last so many years of what was read
-- param near = 0: 1 takes only what has one of the claim's terms for work on it
-- param reach = 365: silent means that what was read goes on for at least so many days after the work
--
-- Days are counted from the last day of the work's year; of a work without year, from the day of the survey that names
-- it. `commits` and `notes` are changes since then with one of the claim's mechanisms and its dimension, `features` and `performance` are those of both by kind (a note may tell of a commit
-- that is counted, too); `proposals` are series with a patch like that, or with one of the claim's terms; `hits` are changes
-- of whatever project and type with a term. Only projects that could answer count: Linux, for what engines do (mgmt.*,
-- fs.driver) engines. `landed` counts features that bear on the claim by the catalogue and were released after the work;
-- `open` are features without which the gap is there. The verdict is the first `rule` that holds. Being worked on says that
-- somebody works on this mechanism and dimension; how near that is to the claim tells the number `with its terms`. `read_to`
-- is how far those sources were read that track the claim's mechanism, or have it in one of a hundred changes: nothing can
-- be said of what came later. Not seen: what no source tells (a list that is not read, a fix without words); notes choose
-- what they tell, so that silence in notes alone is weaker than silence in a history.
WITH
facts AS MATERIALIZED (
    SELECT f.*, a.feature, a.since, a.day, a.days_after, date(f.read_day, '-' || :years || ' years') AS recently
    FROM claim_facts f
    LEFT JOIN landed_features a ON a.claim = f.claim AND a.role = 'answers'
                                   AND a.feature = coalesce(f.first_after, f.last_before)
    WHERE f.paper LIKE :paper AND f.claim LIKE :claim AND f.kind LIKE :kind
),
signs AS (
    SELECT *,
           CASE WHEN answer IN ('partly', 'no') AND landed_date >= recently
                THEN '; features that bear on it landed since: ' || landed || ', the last on ' || landed_date ELSE '' END
           || CASE WHEN CASE WHEN :near = 0 THEN step_date ELSE near_step END >= recently
                   THEN '; changes that add, speed up or harden: ' || steps || ', with its terms ' || near_steps || ', the last '
                        || step_id || ' of ' || step_date ELSE '' END
           || CASE WHEN CASE WHEN :near = 0 THEN proposal_date ELSE near_newest END >= recently
                   THEN '; proposals: ' || proposals || ', with its terms ' || near_proposals || ', the last ' || proposal_id
                        || ' of ' || proposal_date ELSE '' END AS work,
           CASE WHEN landed > 0 THEN '; features that bear on it landed: ' || landed || ', the last on ' || landed_date
                ELSE '' END
           || CASE WHEN commits + notes > 0
                   THEN '; changes: ' || (commits + notes) || ', the last of ' || newest_date
                        || coalesce(', the last that adds, speeds up or hardens of ' || step_date,
                                    ', none that adds, speeds up or hardens') ELSE '' END
           || CASE WHEN proposals > 0 THEN '; proposals: ' || proposals || ', the last of ' || proposal_date ELSE '' END
           || CASE WHEN commits + notes + proposals = 0 AND hits > 0
                   THEN '; nothing on its mechanism and dimension, but changes with its terms: ' || hits ELSE '' END
               AS traces,
           CASE WHEN answer IN ('yes', 'partly') AND bearing > 0 THEN '; the catalogue by itself judges: ' || answer
                ELSE '' END AS judged
    FROM facts
),
verdicts AS (
    SELECT *, CASE
        WHEN kind IN ('praise', 'design') AND answer = 'not applicable' THEN 'cannot tell: it names no gap: ' || kind
        WHEN published = '' THEN 'cannot tell: the year of the work is not known, so that nothing is known to have come since'
        WHEN read_day IS NULL
        THEN 'cannot tell: nothing was read of a project that could answer it (Linux; engines for mgmt.* and fs.driver)'
             || judged
        WHEN read_day <= published
        THEN 'cannot tell: ' || projects || ' was read to ' || read_day || ', not beyond the work (' || published || ')'
             || judged
        WHEN has_changes AND NOT has_labels
        THEN 'cannot tell: no change of ' || projects || ' is labelled: `kminer classify` does it' || judged
        WHEN answer = 'yes' AND bearing > 0
        THEN 'answered: yes by the catalogue, features: ' || bearing || '; ' || CASE
                WHEN days_after > 0
                THEN 'the first since the work is ' || feature || ' in ' || since || ' (' || day || '), ' || days_after
                     || ' days after'
                WHEN days_after <= 0
                THEN feature || ' in ' || since || ' (' || day || ') was there before, ' || -days_after || ' days'
                ELSE 'the day of none of them is known' END
        WHEN work <> ''
        THEN 'being worked on: in the ' || :years || ' years before ' || read_day || ', the end of what was read' || work
        WHEN covered >= :reach AND landed + commits + notes + proposals + hits = 0
        THEN 'silent: no feature, change, proposal or hit of its terms since the work, as far as this tells: ' || read_since
        WHEN covered < :reach
        THEN 'cannot tell: what was read and shows ' || least_covered || ' goes on for ' || covered
             || ' days after the work, not ' || :reach || traces
        ELSE 'cannot tell: nothing landed, was added, sped up, hardened or proposed in the ' || :years || ' years before '
             || read_day || ', the end of what was read' || traces
        END AS said
    FROM signs
)
SELECT id, paper, year, statement, kind, mechanisms, dimension, landed, feature_id, release, release_date, days_after, open,
       commits, notes, features, performance, newest_id, newest_date, proposals, proposal_id, hits, hit_id, verdict, rule,
       read_to
FROM (
    SELECT claim AS id, paper, year, statement, kind, replace(mechanisms, ' ', ', ') AS mechanisms, dimension, landed,
           feature AS feature_id, since AS release, day AS release_date, days_after, open, commits, notes, features,
           performance, newest_id, newest_date, proposals, proposal_id, hits, hit_id,
           substr(said, 1, instr(said, ':') - 1) AS verdict, substr(said, instr(said, ':') + 2) AS rule, read_to
    FROM verdicts
    UNION ALL
    SELECT NULL, NULL, NULL, 'No works are in this database; `kminer sync` takes them from the catalogue.', NULL, NULL,
           NULL, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL, 0, NULL, 0, NULL, 'cannot tell',
           'nothing to judge', NULL
    WHERE NOT EXISTS (SELECT 1 FROM papers)
)
WHERE verdict LIKE :verdict
ORDER BY paper, id
