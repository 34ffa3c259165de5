{#- Aggregate: the group's distinct texts, sorted, joined by ', '; null where there is none. -#}
{% macro joined_text(text) -%}
    {{ return(adapter.dispatch('joined_text', 'cost_lakehouse')(text)) }}
{%- endmacro %}

{% macro default__joined_text(text) -%}
    nullif(array_join(array_sort(array_agg(distinct {{ text }}) filter (where {{ text }} is not null)), ', '), '')
{%- endmacro %}

{% macro duckdb__joined_text(text) -%}
    nullif(array_to_string(list_sort(array_agg(distinct {{ text }}) filter (where {{ text }} is not null)), ', '), '')
{%- endmacro %}
