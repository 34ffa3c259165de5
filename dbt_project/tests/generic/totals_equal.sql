{#-
  Per slice and currency, `columns` add up to the same as in `compare_with`, whose currency is in its column `currency`; with
  `also_by` (column -> its name in `compare_with`) per each of these columns too.
-#}
{% test totals_equal(model, compare_with, columns, currency='currency_code', also_by={}) %}
with both_sides as (
    select
        source,
        billing_period,
        currency_code,
        {%- for column in also_by %}
        {{ column }},
        {%- endfor %}
        {%- for column in columns %}
        {{ column }} as actual_{{ column }},
        0 as expected_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
    union all
    select
        source,
        billing_period,
        {{ currency }}{{ ' as currency_code' if currency != 'currency_code' }},
        {%- for column, expected in also_by.items() %}
        {{ expected }}{{ ' as ' ~ column if expected != column }},
        {%- endfor %}
        {%- for column in columns %}
        0 as actual_{{ column }},
        {{ column }} as expected_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ compare_with }}
)

select
    source,
    billing_period,
    currency_code,
    {%- for column in also_by %}
    {{ column }},
    {%- endfor %}
    {%- for column in columns %}
    sum(expected_{{ column }}) as expected_{{ column }},
    sum(actual_{{ column }}) as actual_{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from both_sides
group by source, billing_period, currency_code{% for column in also_by %}, {{ column }}{% endfor %}
having
    {%- for column in columns %}
    {{ 'or ' if not loop.first }}sum(expected_{{ column }}) <> sum(actual_{{ column }})
    {%- endfor %}
{% endtest %}
