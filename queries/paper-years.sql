-- title: What changed on a work's claims, year by year
-- why: Whether the kernel took up what a work is about: changes since by kind, on each claim's mechanism and dimension
-- param paper: the work, e.g. iron-2018
-- param claim = %: only this claim, e.g. iron-2018.1
--
-- Commits, notes and posted patches from the year after the work on, with one of the claim's mechanisms and its dimension
-- by their labels; kinds are counted over all three types, so that a commit, the note that tells it and the patch it was may
-- be three. `newest_id` is the newest change of the year, `step_id` the newest that adds, speeds up or hardens. Not seen:
-- changes that are not labelled, and years that were not read: see `read-to` before taking a missing year for silence.
SELECT e.claim, CAST(substr(e.day, 1, 4) AS INTEGER) AS year, sum(e.kind IS 'feature') AS feature,
       sum(e.kind IS 'performance') AS performance, sum(e.kind IS 'reliability') AS reliability,
       sum(e.kind IS 'bug') AS bug, sum(e.kind IS 'maintenance') AS maintenance, sum(e.type = 'commit') AS commits,
       sum(e.type = 'note') AS notes, sum(e.type = 'patch') AS patches,
       substr(max(e.day || ' ' || e.short), 12) AS newest_id,
       substr(max(CASE WHEN e.kind IN ('feature', 'performance', 'reliability') THEN e.day || ' ' || e.short END), 12)
           AS step_id
FROM claim_evidence e
WHERE e.claim IN (SELECT id FROM claims WHERE paper LIKE :paper AND id LIKE :claim)
      AND e.on_subject = 1 AND e.type IN ('commit', 'note', 'patch')
GROUP BY 1, 2
ORDER BY claim, year
