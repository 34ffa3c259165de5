{#-
  FOCUS rows are, per slice and currency, the bill and its net amortised cost to the digit: against the lines that they are made
  of, and against what the control totals of the loads say was stored, less what counts nowhere and is listed.
-#}
{% test focus_is_the_bill(model) %}
with stored as (
    {{ stored_costs() }}
),

sides as (
    select
        source,
        billing_period,
        billing_currency,
        billed_cost,
        effective_cost,
        billed_cost as delivered
    from {{ model }}
    {%- for kind in bill_kinds() %}
    union all
    select
        source,
        billing_period,
        billing_currency,
        -billed_cost as billed_cost,
        -effective_cost as effective_cost,
        x_delivered_cost - billed_cost as delivered
    from {{ ref('int_' ~ kind ~ '__costs') }}
    {%- endfor %}
    union all
    select
        source,
        billing_period,
        currency_code as billing_currency,
        cast(0 as decimal(38, 20)) as billed_cost,
        cast(0 as decimal(38, 20)) as effective_cost,
        -stored as delivered
    from stored
)

select
    source,
    billing_period,
    billing_currency,
    sum(billed_cost) as billed_too_much,
    sum(effective_cost) as effective_too_much,
    sum(delivered) as more_than_delivered
from sides
group by source, billing_period, billing_currency
having sum(billed_cost) <> 0 or sum(effective_cost) <> 0 or sum(delivered) <> 0
{% endtest %}
