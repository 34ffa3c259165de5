{#-
  The bill's cost is, per currency, what the control totals of its delivery say was stored, less the exclusions that are listed.
  OCI's and FOCUS's bills come in many loads: there it is what the control totals of all of them say, OCI's less what
  corrections replace.
-#}
{% test billed_equals_delivered(model) %}
with bills as (
    select * from {{ model }}
    where {{ slice_filter() }}
),

deliveries as (
    select distinct
        source,
        billing_period,
        delivery_id
    from bills
),

totals as (
    select * from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.aws_cur') }}
        and metric = 'line_item_unblended_cost'
),

increments as (
    select
        source,
        billing_period,
        load_id
    from {{ ref('int_oci__loads') }}
    where {{ slice_filter() }}
    union all
    select
        source,
        billing_period,
        load_id
    from {{ ref('int_focus__loads') }}
    where {{ slice_filter() }}
),

increment_totals as (
    select * from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and (
            ({{ of_raw_table('raw.oci_cost') }} and metric = 'cost_my_cost')
            or ({{ of_raw_table('raw.focus') }} and metric = 'billed_cost')
        )
),

both_sides as (
    select
        source,
        billing_period,
        delivery_id,
        currency_code,
        billed_cost as actual,
        cast(0 as decimal(38, 20)) as expected
    from bills
    -- A bill without a line has a row of no currency; lines that name none are on a row of theirs.
    where line_item_count > 0
    union all
    select
        deliveries.source,
        deliveries.billing_period,
        deliveries.delivery_id,
        nullif(totals.currency_code, '') as currency_code,
        cast(0 as decimal(38, 20)) as actual,
        totals.stored as expected
    from totals
    inner join deliveries
        on
            totals.source = deliveries.source
            and totals.billing_period = deliveries.billing_period
            and totals.delivery_id = deliveries.delivery_id
    union all
    select
        source,
        billing_period,
        delivery_id,
        currency_code,
        unblended_cost as actual,
        cast(0 as decimal(38, 20)) as expected
    from {{ ref('int_aws__exclusions') }}
    where {{ slice_filter() }}
    union all
    select
        deliveries.source,
        deliveries.billing_period,
        deliveries.delivery_id,
        nullif(increment_totals.currency_code, '') as currency_code,
        cast(0 as decimal(38, 20)) as actual,
        increment_totals.stored as expected
    from increment_totals
    inner join increments
        on
            increment_totals.source = increments.source
            and increment_totals.billing_period = increments.billing_period
            and increment_totals.load_id = increments.load_id
    inner join deliveries
        on
            increment_totals.source = deliveries.source
            and increment_totals.billing_period = deliveries.billing_period
    union all
    select
        source,
        billing_period,
        delivery_id,
        currency_code,
        delivered_cost as actual,
        cast(0 as decimal(38, 20)) as expected
    from {{ ref('int_oci__line_item_costs') }}
    where
        {{ slice_filter() }}
        and is_voided
)

select
    source,
    billing_period,
    delivery_id,
    currency_code,
    sum(expected) as expected,
    sum(actual) as actual,
    sum(actual) - sum(expected) as difference
from both_sides
group by source, billing_period, delivery_id, currency_code
having sum(actual) <> sum(expected)
{% endtest %}
