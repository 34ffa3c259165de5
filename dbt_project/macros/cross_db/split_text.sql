{#- A text's parts between a separator, as a list. -#}
{% macro split_text(text, separator) -%}
    {{ return(adapter.dispatch('split_text', 'cost_lakehouse')(text, separator)) }}
{%- endmacro %}

{% macro default__split_text(text, separator) -%} split({{ text }}, {{ separator }}) {%- endmacro %}

{% macro duckdb__split_text(text, separator) -%} string_split({{ text }}, {{ separator }}) {%- endmacro %}
