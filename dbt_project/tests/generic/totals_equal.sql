{#-
  Per slice and currency, `pairs` (column of the model: column of `compare_with`) add up to the same, in those slices that have
  line items in `slices_of`.
-#}
{% test totals_equal(model, compare_with, pairs, slices_of) %}
with both_sides as (
    select
        source,
        billing_period,
        currency_code,
        {%- for column in pairs %}
        {{ column }} as actual_{{ column }},
        0 as expected_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
    where
        {{ slice_filter() }}
        and (source, billing_period) in (select source, billing_period from {{ slices_of }} where line_item_count > 0)
    union all
    select
        source,
        billing_period,
        currency_code,
        {%- for column, other in pairs.items() %}
        0 as actual_{{ column }},
        {{ other }} as expected_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ compare_with }}
    where {{ slice_filter() }}
)

select
    source,
    billing_period,
    currency_code,
    {%- for column in pairs %}
    sum(expected_{{ column }}) as expected_{{ column }},
    sum(actual_{{ column }}) as actual_{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from both_sides
group by source, billing_period, currency_code
having
    {%- for column in pairs %}
    {{ 'or ' if not loop.first }}sum(expected_{{ column }}) <> sum(actual_{{ column }})
    {%- endfor %}
{% endtest %}
