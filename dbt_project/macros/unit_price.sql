{#-
  The price of one unit: the quotient, so that price times quantity is the cost where prices have tiers. Nothing of a quantity of
  0 has a price but `otherwise`, by default 0; no quantity, no price.
-#}
{% macro unit_price(cost, quantity, otherwise='cast(0 as double)') -%}
    case
        when {{ quantity }} = 0 then coalesce({{ otherwise }}, 0)
        else {{ to_double(cost) }} / {{ to_double(quantity) }}
    end
{%- endmacro %}
