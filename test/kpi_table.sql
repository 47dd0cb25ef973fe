-- The README's table of KPIs, from the catalog: test/readme.sh compares the two.
SELECT format('| %s | `%s`: %s | `%s` | %s, %s |', number, kpi, description_en, formula, unit, better)
  FROM kpi.kpi_definition
 WHERE layer = 1
 ORDER BY number NULLS LAST, "position"
