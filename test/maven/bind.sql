/*
 * Maven's files as a CRM: tables with the columns, and the misspellings, that
 * the files have, and over them the views of a user.
 *
 * Days are dates: neither the reporting zone, west of Greenwich, nor the zone
 * of the session, east of it, may move one to another day.
 */
CREATE TABLE accounts AS
SELECT account, sector, year_established::integer, revenue::numeric, employees::integer, office_location, subsidiary_of
FROM raw.accounts;

CREATE TABLE products AS
SELECT product, series, sales_price::numeric
FROM raw.products;

CREATE TABLE sales_teams AS
SELECT sales_agent, manager, regional_office
FROM raw.sales_teams;

CREATE TABLE sales_pipeline AS
SELECT opportunity_id, sales_agent, product, account, deal_stage, engage_date::date, close_date::date, close_value::numeric
FROM raw.sales_pipeline;

/* The region is where the customer is; the office that sells is a dimension of its own. */
CREATE VIEW kpi_account AS
SELECT account AS id, account AS name, sector AS segment, office_location AS region
FROM accounts;

CREATE VIEW kpi_rep AS
SELECT sales_agent AS id, sales_agent AS name, manager AS team, regional_office AS region
FROM sales_teams;

CREATE VIEW kpi_opportunity AS
SELECT opportunity_id AS id, CASE deal_stage WHEN 'Won' THEN 'won' WHEN 'Lost' THEN 'lost' ELSE 'open' END AS status,
	deal_stage AS stage, engage_date AS created_at, close_date AS closed_at, close_value AS amount,
	account AS account_id, account, sales_agent AS rep_id, product, regional_office
FROM sales_pipeline
	LEFT JOIN sales_teams USING (sales_agent);

CREATE VIEW kpi_sale AS
SELECT opportunity_id AS sale_id, close_date AS sold_at, close_value AS amount, opportunity_id,
	account AS account_id, account, sales_agent AS rep_id, product, regional_office
FROM sales_pipeline
	LEFT JOIN sales_teams USING (sales_agent)
WHERE deal_stage = 'Won';

\o /dev/null
SELECT kpi_set('time_zone', 'America/New_York');
SELECT kpi_set('currency', 'USD');
SELECT kpi_define_dimension('account');
SELECT kpi_define_dimension('regional_office');
SELECT kpi_bind('account', 'kpi_account');
SELECT kpi_bind('rep', 'kpi_rep');
SELECT kpi_bind('opportunity', 'kpi_opportunity');
SELECT kpi_bind('sale', 'kpi_sale');

/* The files end with 2017: the moment after is the one at which what is open is known. */
SELECT kpi_snapshot('2016-10-01', '2017-12-31', '2018-01-01 00:00 America/New_York');
\o
