{#- A map as JSON text with its keys sorted by their code points, so that equal maps give equal text on every engine. -#}
{% macro map_to_json(map) -%}
    {{ return(adapter.dispatch('map_to_json', 'cost_lakehouse')(map)) }}
{%- endmacro %}

{#- Trino's own cast to JSON sorts by UTF-16 units, which puts emoji before some other letters. -#}
{% macro default__map_to_json(map) -%}
    '{' || array_join(transform(
        array_sort(map_keys({{ map }})),
        key -> json_format(cast(key as json)) || ':' || json_format(cast(element_at({{ map }}, key) as json))
    ), ',') || '}'
{%- endmacro %}

{% macro duckdb__map_to_json(map) -%}
    cast(to_json(map_from_entries(list_sort(map_entries({{ map }})))) as varchar)
{%- endmacro %}
