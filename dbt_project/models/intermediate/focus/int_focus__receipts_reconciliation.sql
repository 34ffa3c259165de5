-- What all loads of a slice say they added, and took out, against the rows that are there, per currency, charge category and
-- invoice.
{%- set metrics = focus_daily_summary_sums() + ['pricing_quantity'] %}

with loads as (
    select * from {{ ref('int_focus__loads') }}
    where {{ slice_filter() }}
),

slices as (
    select * from {{ ref('int_focus__slices') }}
    where {{ slice_filter() }}
),

totals as (
    select * from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.focus') }}
        and metric in ({{ quoted_list(metrics) }})
),

raw_lines as (
    select lines.*
    from {{ source('raw', 'focus') }} as lines
    inner join slices
        on
            lines.source = slices.source
            and lines.billing_period = slices.billing_period
    where {{ slice_filter('lines') }}
),

both_sides as (
    select
        totals.source,
        totals.billing_period,
        nullif(totals.currency_code, '') as currency_code,
        nullif(totals.line_item_type, '') as line_item_type,
        nullif(totals.invoice_id, '') as invoice_id,
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
        billing_currency as currency_code,
        charge_category as line_item_type,
        invoice_id,
        '{{ metric }}' as metric,
        cast(0 as decimal(38, 20)) as expected,
        coalesce(sum({{ metric }}), 0) as actual
    from raw_lines
    group by source, billing_period, billing_currency, charge_category, invoice_id
    {%- endfor %}
    union all
    select
        source,
        billing_period,
        cast(null as varchar) as currency_code,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
        'rows' as metric,
        cast(line_item_count as decimal(38, 20)) as expected,
        cast(0 as decimal(38, 20)) as actual
    from loads
    union all
    select
        source,
        billing_period,
        cast(null as varchar) as currency_code,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
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
        line_item_type,
        invoice_id,
        metric,
        sum(expected) as expected_amount,
        sum(actual) as actual_amount,
        sum(actual) - sum(expected) as difference
    from both_sides
    group by source, billing_period, currency_code, line_item_type, invoice_id, metric
)

select * from final
