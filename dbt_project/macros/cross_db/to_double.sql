{#- The double that is nearest to a decimal. DuckDB's own cast rounds twice: the digits without the point, and the quotient. -#}
{% macro to_double(number) -%}
    {{ return(adapter.dispatch('to_double', 'cost_lakehouse')(number)) }}
{%- endmacro %}

{% macro default__to_double(number) -%} cast({{ number }} as double) {%- endmacro %}

{% macro duckdb__to_double(number) -%} cast(cast({{ number }} as varchar) as double) {%- endmacro %}
