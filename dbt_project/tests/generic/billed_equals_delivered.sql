{#-
  The bill's cost is, per currency, what the control totals of its loads say was stored, less what counts nowhere and is listed.
-#}
{% test billed_equals_delivered(model) %}
with stored as (
    {{ stored_costs() }}
),

both_sides as (
    select
        source,
        billing_period,
        currency_code,
        billed_cost as actual,
        cast(0 as decimal(38, 20)) as expected
    from {{ model }}
    union all
    select
        source,
        billing_period,
        billing_currency as currency_code,
        x_excluded_cost as actual,
        cast(0 as decimal(38, 20)) as expected
    from {{ ref('int_costs__daily_summary') }}
    union all
    select
        source,
        billing_period,
        currency_code,
        cast(0 as decimal(38, 20)) as actual,
        stored as expected
    from stored
)

select
    source,
    billing_period,
    currency_code,
    sum(expected) as expected,
    sum(actual) as actual,
    sum(actual) - sum(expected) as difference
from both_sides
group by source, billing_period, currency_code
having sum(actual) <> sum(expected)
{% endtest %}
