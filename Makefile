EXTENSION = salkpi
# The sources, wherever it is built.
here := $(dir $(lastword $(MAKEFILE_LIST)))
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(here)salkpi.control)

MODULE_big = salkpi
OBJS = $(addprefix src/, salkpi.o setting.o numbers.o segment.o shape.o flat.o states.o states_io.o \
	cube.o cube_rows.o cube_sums.o cube_io.o cube_events.o cube_events_io.o cells.o cells_rows.o cells_events.o first_atom.o \
	ledger.o ledger_fold.o ledger_io.o movements.o \
	durations.o durations_state.o durations_io.o sales_cycle.o \
	ratio.o ratio_state.o ratio_text.o ratio_io.o ratio_finish.o \
	keyed.o keyed_tables.o keyed_unique.o keyed_io.o amounts.o accounts.o \
	panel.o member.o facts.o changed_facts.o current_facts.o new_facts.o source.o batch.o batch_aggregate.o batch_read.o batch_sort.o batch_stages.o batch_plan.o batch_expression.o batch_function.o batch_few.o batch_text.o batch_condition.o batch_lookup.o execute.o kept.o read_sources.o read_parallel.o memory.o stages.o stage_events.o \
	dictionary.o dictionary_state.o dictionary_build.o smallest.o \
	fact_row.o formula.o formula_tree.o evaluate.o formula_arguments.o formula_sql.o target.o places.o computed.o computed_arguments.o sparkline.o track.o track_rows.o lineage.o)

# The install script is these pieces in this order: each uses only those before it.
SQL = $(addprefix src/, salkpi.sql state_types.sql durations.sql sales_cycle.sql ratio.sql amounts.sql accounts.sql dictionary.sql smallest.sql stages.sql cube.sql ledger.sql panel.sql \
	setting.sql calendar.sql workday.sql source.sql dimension.sql measure.sql fact.sql formula.sql \
	definition.sql target.sql source_select.sql member.sql part.sql history.sql source_query.sql read_sources.sql changed_facts.sql snapshot.sql track.sql changes.sql search.sql \
	fact_row.sql require.sql label.sql found_period.sql reason.sql computed.sql reading.sql scope.sql outlook.sql restate.sql prune.sql pipeline.sql forecast.sql alert.sql grant.sql recurring.sql cohort.sql funnel.sql purchases.sql drill_query.sql drill.sql live.sql needs.sql integrity.sql check.sql crm.sql odoo.sql schedule.sql)

DATA_built = $(EXTENSION)--$(EXTVERSION).sql
EXTRA_CLEAN = $(DATA_built)

REGRESS = setup durations sales_cycle ratio amounts retention accounts overloads stored dictionary smallest stages cube batch ledger panel dimension formula target workday calendar snapshot grouped read_parallel track search rules refuse reading kept scope outlook restate pipeline forecast alert recurring lifetime cohort funnel purchases drill live needs arguments check odoo session
REGRESS_OPTS = --encoding=UTF8 --no-locale

PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare
# As 16 has it by itself: what SQL does not call stays inside, and calls between files go there at once.
PG_CFLAGS += -fvisibility=hidden
PG_CPPFLAGS = -DPGDLLEXPORT='__attribute__((visibility("default")))'

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS does not track headers, and elsewhere than beside the sources makes no directories.
$(OBJS): $(wildcard $(here)src/*.h)
$(shell mkdir -p src)

$(DATA_built): $(SQL) salkpi.control
	cat $(filter %.sql,$^) > $@
