/*
 * as_of, on every function that reads facts, gives what was given then: copies
 * kept of their rows before the sources change much, and a further snapshot.
 */
CREATE TEMP TABLE reader AS
SELECT name, format('(SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM %s x)', call) AS call
FROM (VALUES
	('kpi_value', $q$kpi_value('revenue', kpi_today() - 40, 'team', 'Innendienst Süd', 'quarter', as_of => %1$L)$q$),
	('kpi_report', $q$kpi_report(kpi_today() - 40, as_of => %1$L)$q$),
	('kpi_report', $q$kpi_report(kpi_today(), 'quarter', 'team', as_of => %1$L, members => '{Innendienst Süd,Außendienst}')$q$),
	('kpi_series', $q$kpi_series('win_rate', kpi_today() - 200, kpi_today(), dimension => 'rep', as_of => %1$L)$q$),
	('kpi_merged_series', $q$kpi_merged_series('pipeline_value', kpi_today() - 200, kpi_today(), dimension => 'team', members => '{Innendienst Süd,Außendienst}', as_of => %1$L)$q$),
	('kpi_ranking', $q$kpi_ranking('revenue', kpi_today() - 40, as_of => %1$L)$q$),
	('kpi_compare', $q$kpi_compare('{calls,won_value,mrr}', kpi_today() - 40, 'team', as_of => %1$L)$q$),
	('kpi_sales_by_region', $q$kpi_sales_by_region(kpi_today() - 40, as_of => %1$L)$q$),
	('kpi_members', $q$kpi_members('rep', as_of => %1$L)$q$),
	('kpi_pipeline', $q$kpi_pipeline(kpi_today() - 40, as_of => %1$L)$q$),
	('kpi_outlook', $q$kpi_outlook(kpi_today(), dimension => 'rep', as_of => %1$L)$q$),
	('kpi_reps_at_target', $q$kpi_reps_at_target(kpi_today() - 40, as_of => %1$L)$q$),
	('kpi_mrr_movements', $q$kpi_mrr_movements(kpi_today() - 200, kpi_today(), as_of => %1$L)$q$),
	('kpi_cohorts', $q$kpi_cohorts(kpi_today() - 400, kpi_today(), as_of => %1$L)$q$),
	('kpi_loss_reasons', $q$kpi_loss_reasons(kpi_today() - 40, as_of => %1$L)$q$),
	('kpi_stage_funnel', $q$kpi_stage_funnel(kpi_today() - 40, as_of => %1$L)$q$)) AS v(name, call);
SELECT pg_temp.same('every function that takes as_of is called', 'SELECT DISTINCT name FROM reader', $q$
	SELECT DISTINCT p.proname::text FROM pg_proc AS p
	WHERE p.pronamespace = 'kpi'::regnamespace AND p.provolatile = 's' AND 'as_of' = ANY (p.proargnames[p.pronargs - p.pronargdefaults + 1 : p.pronargs])$q$);

CREATE TEMP TABLE told (name text, call text, before text, after text, once_more text);
CREATE FUNCTION pg_temp.asked(call text, at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'SELECT ' || format(call, at) INTO answer;
	RETURN answer;
END;
$$;
INSERT INTO told SELECT name, call, pg_temp.asked(call, NULL) FROM reader;

SELECT max(as_of) AS before FROM kpi_run WHERE outcome = 'done' \gset
UPDATE crm.order_line SET net_amount = net_amount * 2 WHERE order_no % 3 > 0;
UPDATE crm.deal SET amount = amount * 3, closed_at = closed_at - interval '9 days' WHERE deal_no % 4 > 0;
UPDATE crm.deal SET rep_no = 1 WHERE deal_no % 5 = 0;
DELETE FROM crm.touchpoint WHERE touch_no % 3 = 0;
DELETE FROM crm.deal_stage_log WHERE deal_no % 3 = 0;
UPDATE crm.contract_price SET amount = amount + 7 WHERE contract_no % 2 = 0;
INSERT INTO crm.sales_rep SELECT (jsonb_populate_record(r, jsonb_build_object('rep_no', 99))).* FROM crm.sales_rep AS r WHERE r.rep_no = 1;
INSERT INTO crm.touchpoint (touch_no, kind, happened_at, state, incoming, rep_no) SELECT 9000001, 'Anruf', now() - interval '35 days', 'erledigt', false, 99;
SELECT outcome FROM kpi_snapshot() \gset
UPDATE told SET after = pg_temp.asked(call, NULL), once_more = pg_temp.asked(call, :'before');

SELECT pg_temp.same('each has rows, and others now', 'SELECT name, before <> '''' AND before IS DISTINCT FROM after FROM told', 'SELECT name, true FROM reader');
SELECT pg_temp.same('and as_of gives those of then', 'SELECT call, once_more FROM told', 'SELECT call, before FROM told');
