{#-
  The bill's cost is, per currency, what the control totals of its loads say was stored, less what counts nowhere and is listed.
-#}
{% test billed_equals_delivered(model) %}
with loads as (
    select *
    from {{ ref('int_costs__loads') }}
    where
        is_current
        or bill_kind in ({{ increment_kinds() }})
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
        totals.source,
        totals.billing_period,
        nullif(totals.currency_code, '') as currency_code,
        cast(0 as decimal(38, 20)) as actual,
        totals.stored as expected
    from {{ source('raw', 'control_totals') }} as totals
    inner join loads
        on
            totals.source = loads.source
            and totals.billing_period = loads.billing_period
            and totals.load_id = loads.load_id
    where
        {{ slice_filter('totals') }}
        and totals.metric in ({{ quoted_list(billed_metrics()) }})
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
