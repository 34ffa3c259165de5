{#- To stand after a table in FROM: one row per entry of its map, as entry.entry_key and entry.entry_value. -#}
{% macro unnest_map(map) -%}
    {{ return(adapter.dispatch('unnest_map', 'cost_lakehouse')(map)) }}
{%- endmacro %}

{% macro default__unnest_map(map) -%} cross join unnest({{ map }}) as entry (entry_key, entry_value) {%- endmacro %}

{% macro duckdb__unnest_map(map) -%}
    cross join lateral (
        select
            unnest(map_keys({{ map }})) as entry_key,
            unnest(map_values({{ map }})) as entry_value
    ) as entry
{%- endmacro %}
