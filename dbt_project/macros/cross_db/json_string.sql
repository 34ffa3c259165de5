{#- A text as a JSON string, with its quotes. Only what JSON cannot hold is escaped. -#}
{% macro json_string(text) -%}
    {{ return(adapter.dispatch('json_string', 'cost_lakehouse')(text)) }}
{%- endmacro %}

{#- Trino escapes characters beyond the first 65,536 (emoji) as two halves: they are put together again. -#}
{% macro default__json_string(text) -%}
    regexp_replace(
        json_format(cast({{ text }} as json)),
        '(\\\\)|\\u(D[89AB][0-9A-F]{2})\\u(D[C-F][0-9A-F]{2})',
        part -> coalesce(
            part[1],
            chr(65536 + (from_base(part[2], 16) - 55296) * 1024 + from_base(part[3], 16) - 56320)
        )
    )
{%- endmacro %}

{% macro duckdb__json_string(text) -%} cast(to_json({{ text }}) as varchar) {%- endmacro %}
