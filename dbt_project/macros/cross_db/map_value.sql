{#- The value of a map's key, null where the map or the key is absent. -#}
{% macro map_value(map, key) -%}
    {{ return(adapter.dispatch('map_value', 'cost_lakehouse')(map, key)) }}
{%- endmacro %}

{% macro default__map_value(map, key) -%} element_at({{ map }}, '{{ key }}') {%- endmacro %}

{% macro duckdb__map_value(map, key) -%} {{ map }}['{{ key }}'] {%- endmacro %}
