{#-
  On DuckDB the schemas are called `staging`, `intermediate` and `marts`, without the target's name before them; models of a
  user's own package that name none are marts. On Trino all models of a build are together in the target's schema, which is one
  build's own: the published marts are in `marts`.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if target.type == 'trino' -%}
        {{ target.schema | trim }}
    {%- elif custom_schema_name -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ 'marts' if node.package_name != project_name and node.resource_type == 'model' else target.schema }}
    {%- endif -%}
{%- endmacro %}
