-- title: A probed host, and what was known of it
-- why: What explains the verdicts on a saved host: its kernel, who asked, what is around, where cgroups are bound
-- param host: a saved host (query hosts lists them)
--
-- `environment` is JSON, as docs/probe.md describes it.
SELECT h.name AS host, h.taken_at, h.release AS kernel, h.environment
FROM hosts h
WHERE h.name = :host
