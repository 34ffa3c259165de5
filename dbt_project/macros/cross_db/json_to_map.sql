{#- JSON text of an object of texts as a map. -#}
{% macro json_to_map(json) -%}
    {{ return(adapter.dispatch('json_to_map', 'cost_lakehouse')(json)) }}
{%- endmacro %}

{% macro default__json_to_map(json) -%} cast(json_parse({{ json }}) as map(varchar, varchar)) {%- endmacro %}

{% macro duckdb__json_to_map(json) -%} cast(cast({{ json }} as json) as map(varchar, varchar)) {%- endmacro %}
