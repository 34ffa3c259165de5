-- What all loads of a slice say they added, and took out, against the rows that are there.
{%- set metrics = [
    'cost_my_cost', 'cost_my_cost_overage', 'usage_billed_quantity', 'usage_billed_quantity_overage', 'cost_attributed_cost',
] %}

with loads as (
    select * from {{ ref('int_oci__loads') }}
    where {{ slice_filter() }}
),

totals as (
    select * from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.oci_cost') }}
        and metric in ({{ quoted_list(metrics) }})
),

raw_lines as (
    select * from {{ source('raw', 'oci_cost') }}
    where {{ slice_filter() }}
),

both_sides as (
    select
        totals.source,
        totals.billing_period,
        nullif(totals.currency_code, '') as currency_code,
        totals.metric,
        totals.stored as expected,
        cast(0 as decimal(38, 20)) as actual
    from totals
    inner join loads
        on
            totals.source = loads.source
            and totals.billing_period = loads.billing_period
            and totals.load_id = loads.load_id
    {%- for metric in metrics %}
    union all
    select
        source,
        billing_period,
        nullif(cost_currency_code, '') as currency_code,
        '{{ metric }}' as metric,
        cast(0 as decimal(38, 20)) as expected,
        coalesce(sum({{ metric }}), 0) as actual
    from raw_lines
    group by source, billing_period, cost_currency_code
    {%- endfor %}
    union all
    select
        source,
        billing_period,
        cast(null as varchar) as currency_code,
        'rows' as metric,
        cast(line_item_count as decimal(38, 20)) as expected,
        cast(0 as decimal(38, 20)) as actual
    from loads
    union all
    select
        source,
        billing_period,
        cast(null as varchar) as currency_code,
        'rows' as metric,
        cast(0 as decimal(38, 20)) as expected,
        cast(count(*) as decimal(38, 20)) as actual
    from raw_lines
    group by source, billing_period
),

final as (
    select
        source,
        billing_period,
        currency_code,
        metric,
        sum(expected) as expected_amount,
        sum(actual) as actual_amount,
        sum(actual) - sum(expected) as difference
    from both_sides
    group by source, billing_period, currency_code, metric
)

select * from final
