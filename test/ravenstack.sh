#!/bin/bash
#
# ravenstack.sh - 5,000 overlapping subscriptions against results from elsewhere
#
# Loads RavenStack, a synthetic SaaS company (author: River @ Rivalytics), from
# its CSV files, binds views over them, takes a snapshot, and compares what
# kpi_fact and the readers say with plain SQL over the same rows, and with
# results that were computed from the files without salkpi (csv.sh).
#
source "$(dirname "$0")/csv.sh"
compare_csv ravenstack
