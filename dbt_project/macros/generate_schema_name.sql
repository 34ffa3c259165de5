{#- Schemas are called `staging`, `intermediate` and `marts` on every engine and target, without the target's name before them. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
