{#-
  On DuckDB the schemas are called `staging`, `intermediate` and `marts`, without the target's name before them. On Trino all
  models of a build are together in the target's schema, which is one build's own: the published marts are in `marts`.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (target.schema if target.type == 'trino' else custom_schema_name or target.schema) | trim }}
{%- endmacro %}
