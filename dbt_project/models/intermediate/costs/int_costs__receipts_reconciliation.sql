-- What the loads of a month say they brought, and took out, against the raw rows that are there, per currency, line item type and
-- invoice. Of whole deliveries the current one says it alone, of increments all together.
{%- set raw_columns = {
    'aws': {
        'currency': 'line_item_currency_code',
        'type': 'line_item_line_item_type',
        'invoice': 'bill_invoice_id',
        'metrics': ['line_item_unblended_cost'],
    },
    'oci': {
        'currency': 'cost_currency_code',
        'type': "case when lower(line_item_is_correction) = 'true' then 'Correction' else 'Usage' end",
        'invoice': 'cast(null as varchar)',
        'metrics': [
            'cost_my_cost', 'cost_my_cost_overage', 'usage_billed_quantity', 'usage_billed_quantity_overage',
            'cost_attributed_cost',
        ],
    },
    'focus': {
        'currency': 'billing_currency',
        'type': 'charge_category',
        'invoice': 'invoice_id',
        'metrics': [
            'billed_cost', 'effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity', 'pricing_quantity',
        ],
    },
    'lakehouse': {
        'currency': 'currency_code',
        'type': 'provider',
        'invoice': 'invoice_ids',
        'metrics': ['billed_cost', 'effective_cost'],
    },
} %}

with loads as (
    select *
    from {{ ref('int_costs__loads') }}
    where
        is_current
        or bill_kind in ({{ increment_kinds() }})
),

totals as (
    select
        *,
        {{ bill_kind() }} as bill_kind
    from {{ source('raw', 'control_totals') }}
    where {{ slice_filter() }}
),

expected as (
    select
        totals.source,
        totals.billing_period,
        totals.bill_kind,
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
            and totals.bill_kind = loads.bill_kind
            and totals.load_id = loads.load_id
    where
        {%- for kind, about in raw_columns.items() %}
        {{ 'or ' if not loop.first }}(totals.bill_kind = '{{ kind }}' and totals.metric in ({{ quoted_list(about['metrics']) }}))
        {%- endfor %}
    union all
    select
        source,
        billing_period,
        bill_kind,
        cast(null as varchar) as currency_code,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
        'rows' as metric,
        cast(line_item_count as decimal(38, 20)) as expected,
        cast(0 as decimal(38, 20)) as actual
    from loads
),

{%- for kind, about in raw_columns.items() if kind in bill_kinds() %}

{{ kind }}_rows as (
    select
        source,
        billing_period,
        {{ about['currency'] }}{{ ' as currency_code' if about['currency'] != 'currency_code' }},
        {{ about['type'] }} as line_item_type,
        {{ about['invoice'] }}{{ ' as invoice_id' if about['invoice'] != 'invoice_id' }},
        {%- for metric in about['metrics'] %}
        coalesce(sum({{ metric }}), 0) as {{ metric }},
        {%- endfor %}
        count(*) as row_count
    from {{ source('raw', bill_kinds()[kind]['table']) }}
    where {{ slice_filter() }}
    group by 1, 2, 3, 4, 5
),
{%- endfor %}

actual as (
    {%- for kind, about in raw_columns.items() if kind in bill_kinds() %}
    select
        source,
        billing_period,
        '{{ kind }}' as bill_kind,
        case when metrics.metric <> 'rows' then currency_code end as currency_code,
        case when metrics.metric <> 'rows' then line_item_type end as line_item_type,
        case when metrics.metric <> 'rows' then invoice_id end as invoice_id,
        metrics.metric,
        cast(0 as decimal(38, 20)) as expected,
        cast(
            case metrics.metric
                {%- for metric in about['metrics'] %}
                when '{{ metric }}' then {{ metric }}
                {%- endfor %}
                else row_count
            end as decimal(38, 20)
        ) as actual
    from {{ kind }}_rows
    cross join (
        values {% for metric in about['metrics'] %}('{{ metric }}'), {% endfor %}('rows')
    ) as metrics (metric)
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Rows that FOCUS repeats are compared with their receipts where their month is FOCUS's alone.
of_the_bill as (
    select actual.*
    from actual
    inner join {{ ref('int_costs__slices') }} as slices
        on
            actual.source = slices.source
            and actual.billing_period = slices.billing_period
            and actual.bill_kind = slices.bill_kind
),

both_sides as (
    select * from expected
    union all
    select * from of_the_bill
),

final as (
    select
        source,
        billing_period,
        bill_kind,
        currency_code,
        line_item_type,
        invoice_id,
        metric,
        sum(expected) as expected_amount,
        sum(actual) as actual_amount,
        sum(actual) - sum(expected) as difference
    from both_sides
    group by source, billing_period, bill_kind, currency_code, line_item_type, invoice_id, metric
)

select * from final
