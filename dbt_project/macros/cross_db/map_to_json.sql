{#- A map as JSON text with its keys sorted, so that equal maps give equal text. -#}
{% macro map_to_json(map) -%}
    {{ return(adapter.dispatch('map_to_json', 'cost_lakehouse')(map)) }}
{%- endmacro %}

{% macro default__map_to_json(map) -%} json_format(cast({{ map }} as json)) {%- endmacro %}

{% macro duckdb__map_to_json(map) -%}
    cast(to_json(map_from_entries(list_sort(map_entries({{ map }})))) as varchar)
{%- endmacro %}
