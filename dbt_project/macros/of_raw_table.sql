{#-
  The predicate that picks the ledgers' rows of one raw table: what other tables' loads proved is none of its business. Rows
  that name no table are of the time when there was only AWS's.
-#}
{% macro of_raw_table(name) -%}
    coalesce(raw_table, 'raw.aws_cur') = '{{ name }}'
{%- endmacro %}
