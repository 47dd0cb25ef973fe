/*
 * RavenStack's files as a CRM: the columns that they have, and over them the
 * views of a user.  An account may have many subscriptions at once.
 */
CREATE TABLE account AS
SELECT account_id, account_name, industry, country, referral_source
FROM raw.accounts;

CREATE TABLE subscription AS
SELECT subscription_id, account_id, start_date::date, end_date::date, plan_tier, mrr_amount::numeric, arr_amount::numeric, is_trial::boolean, billing_frequency
FROM raw.subscriptions;

CREATE VIEW kpi_account AS
SELECT account_id AS id, account_name AS name, industry AS segment, country AS region, referral_source AS channel
FROM account;

/* The amount is the month's, however often it is billed; the end is the first day that is not paid. */
CREATE VIEW kpi_subscription AS
SELECT subscription_id AS id, account_id, mrr_amount AS amount, start_date AS valid_from, end_date AS valid_to, plan_tier AS plan,
	CASE WHEN is_trial THEN 'trial' ELSE 'active' END AS status
FROM subscription;

/* The same by the year, for who is billed by the year. */
CREATE VIEW kpi_billed AS
SELECT subscription_id AS id, account_id, CASE billing_frequency WHEN 'annual' THEN arr_amount ELSE mrr_amount END AS amount,
	CASE billing_frequency WHEN 'annual' THEN 'year' ELSE 'month' END AS billing_unit, start_date AS valid_from, end_date AS valid_to, plan_tier AS plan,
	CASE WHEN is_trial THEN 'trial' ELSE 'active' END AS status
FROM subscription;

/* And for readers to whom the end is the last day that is paid. */
CREATE VIEW kpi_inclusive AS
SELECT subscription_id AS id, account_id, mrr_amount AS amount, start_date AS valid_from, end_date + 1 AS valid_to, plan_tier AS plan,
	CASE WHEN is_trial THEN 'trial' ELSE 'active' END AS status
FROM subscription;

\o /dev/null
SELECT kpi_set('time_zone', 'America/New_York');
SELECT kpi_set('currency', 'USD');
SELECT kpi_bind('account', 'kpi_account');
SELECT kpi_bind('subscription', 'kpi_subscription');
SELECT kpi_snapshot('2023-01-01', '2024-12-31', '2025-01-01 00:00 America/New_York');
\o
