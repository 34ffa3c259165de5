{#-
  One decimal by another, exact to 12 digits and rounded half up there; null by 0. Both have at most 12 digits before the
  point, and are rounded to 12 behind it. Through a double, each engine would round in its own way.
-#}
{% macro divided(part, whole) -%}
    {{ return(adapter.dispatch('divided', 'cost_lakehouse')(part, whole)) }}
{%- endmacro %}

{% macro default__divided(part, whole) -%}
    cast({{ part }} as decimal(38, 12)) / nullif(cast({{ whole }} as decimal(38, 12)), 0)
{%- endmacro %}

{#- DuckDB divides decimals as doubles, but whole numbers exactly: (2p + w) // 2w is p / w rounded half up. -#}
{% macro duckdb__divided(part, whole) -%}
    {%- set units = [] -%}
    {%- for amount in [part, whole] -%}
        {%- do units.append(
            'cast(abs(cast(' ~ amount ~ ' as decimal(24, 12))) * cast(1000000000000 as decimal(13, 0)) as hugeint)'
        ) -%}
    {%- endfor -%}
    case when sign(cast({{ part }} as decimal(24, 12))) * sign(cast({{ whole }} as decimal(24, 12))) < 0 then -1 else 1 end
    * ((2 * {{ units[0] }} * 1000000000000 + {{ units[1] }}) // nullif(2 * {{ units[1] }}, 0))
    * cast(0.000000000001 as decimal(12, 12))
{%- endmacro %}
