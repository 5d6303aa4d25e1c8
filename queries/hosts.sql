-- title: Hosts that were probed
-- why: Which hosts `kminer probe --save` knows, and what their kernels have
SELECT h.name AS host, h.release AS kernel, h.taken_at,
       sum(f.verdict = 'available') AS available, sum(f.verdict = 'compiled-in') AS compiled_in,
       sum(f.verdict = 'blocked') AS blocked, sum(f.verdict = 'bound-elsewhere') AS bound_elsewhere,
       sum(f.verdict = 'absent') AS absent, sum(f.verdict = 'unknown') AS unknown,
       sum(f.remark LIKE 'newer than%') AS before_their_time, sum(f.remark LIKE 'this kernel is new enough%') AS missing
FROM hosts h
LEFT JOIN findings f ON f.host = h.name
GROUP BY h.name
ORDER BY h.name
