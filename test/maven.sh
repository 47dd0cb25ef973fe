#!/bin/bash
#
# maven.sh - a CRM of 8,800 opportunities against published results
#
# Loads Maven Analytics' "CRM Sales Opportunities" from its CSV files, binds
# views over them, takes snapshots, and compares what kpi_fact and the readers
# say with results that were computed from the files without salkpi (csv.sh).
#
source "$(dirname "$0")/csv.sh"
compare_csv maven_crm
