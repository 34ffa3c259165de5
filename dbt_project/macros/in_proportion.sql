{#-
  amount * part / whole, for decimals that no engine divides or multiplies exactly. Exact where the ratio has at most 6
  digits (a discount in percent), or where all of the whole is meant; otherwise what `part` lacks of `whole` is rounded
  to 12 digits. Without a whole there is no ratio: the amount itself.
-#}
{% macro in_proportion(amount, part, whole) -%}
    {%- set amount, part, whole = '(' ~ amount ~ ')', '(' ~ part ~ ')', '(' ~ whole ~ ')' -%}
    {%- set ratio = 'try_cast(' ~ divided(part, whole) ~ ' as decimal(7, 6))' -%}
    case
        when {{ whole }} = 0 or {{ part }} = {{ whole }} then {{ amount }}
        when {{ amount }} = {{ whole }} then {{ part }}
        when {{ whole }} * {{ ratio }} = {{ part }} then cast({{ amount }} * {{ ratio }} as decimal(38, 20))
        else
            {{ amount }} - cast(
                cast({{ amount }} as decimal(24, 12)) * ({{ divided(whole ~ ' - ' ~ part, whole) }}) as decimal(38, 12)
            )
    end
{%- endmacro %}
