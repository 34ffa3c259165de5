{#- A map as JSON text with its keys sorted by their code points, so that equal maps give equal text on every engine. -#}
{% macro map_to_json(map) -%}
    {{ return(adapter.dispatch('map_to_json', 'cost_lakehouse')(map)) }}
{%- endmacro %}

{#- Trino's own cast of a map sorts by UTF-16 units, which puts emoji before some other letters. -#}
{% macro default__map_to_json(map) -%}
    '{' || array_join(transform(
        array_sort(map_keys({{ map }})),
        map_key -> {{ json_string('map_key') }}
        || ':' || coalesce({{ json_string('element_at(' ~ map ~ ', map_key)') }}, 'null')
    ), ',') || '}'
{%- endmacro %}

{% macro duckdb__map_to_json(map) -%}
    cast(to_json(map_from_entries(list_sort(map_entries({{ map }})))) as varchar)
{%- endmacro %}

{#- The same of a map that map_to_text wrote. -#}
{% macro text_to_json(text) -%} {{ map_to_json(json_to_map(text)) }} {%- endmacro %}
