/*
 * dimensions.sql - combinations that the dashboards can be filtered by at once.
 * Others are made the same way; each costs the snapshot as many facts as it has
 * members with anything in a period.
 *
 *	psql -d crm -v schema=kpi -f dimensions.sql
 */
\set ON_ERROR_STOP on
\if :{?schema} \else \set schema kpi \endif

BEGIN;
SET LOCAL search_path = :"schema", pg_temp;
SELECT count(kpi_define_dimension(v.dimension, label_en => v.label_en, label_de => v.label_de)) AS defined
  FROM (VALUES ('team+rep', 'Team and rep', 'Team und Vertriebler'), ('team+region', 'Team and region', 'Team und Region'),
			   ('region+product', 'Region and product', 'Region und Produkt')) v(dimension, label_en, label_de) \gset
COMMIT;
