-- dimensions: total rep
SELECT m, rep_id, sum(greatest(least(coalesce(left_on, 'infinity'), day_to) - greatest(hired, day_from), 0)) AS rep_days
FROM rep, (SELECT m, (:'days'::date[])[m] AS day_from, (:'days'::date[])[m + 1] AS day_to FROM generate_series(1, cardinality(:'days'::date[]) - 1) m) p
GROUP BY GROUPING SETS ((m), (m, rep_id))
