{#- Aggregate: a map from the group's keys to their values. Keys are unique in the group. -#}
{% macro map_agg(key, value) -%}
    {{ return(adapter.dispatch('map_agg', 'cost_lakehouse')(key, value)) }}
{%- endmacro %}

{% macro default__map_agg(key, value) -%} map_agg({{ key }}, {{ value }}) {%- endmacro %}

{% macro duckdb__map_agg(key, value) -%} map_from_entries(array_agg(row({{ key }}, {{ value }}))) {%- endmacro %}
