-- Raw bills and daily summary side by side, per day, currency, line item type and metric. The raw side is added up from the raw
-- tables' own columns: nothing is valued here, so that what is lost, doubled or invented on the way shows.
{%- set shared = ['billed_cost', 'line_items'] %}
{%- set of_focus = ['effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity'] %}
{%- set metrics = shared + of_focus %}

with
{%- if 'focus' in bill_kinds() %}
other_bills as (
    {%- for table in ['aws_cur', 'oci_cost'] %}
    select distinct
        source,
        billing_period
    from {{ source('raw', table) }}
    where {{ slice_filter() }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),
{%- endif %}

-- One row a day from each side: what the bill says, what of it counts nowhere, what the summary says.
both_sides as (
    select
        source,
        billing_period,
        x_bill_kind as bill_kind,
        x_usage_date as usage_date,
        billing_currency as currency_code,
        x_line_item_type as line_item_type,
        cast(null as decimal(38, 20)) as raw_billed_cost,
        cast(null as bigint) as raw_line_items,
        {%- for metric in of_focus %}
        cast(null as decimal(38, 20)) as raw_{{ metric }},
        {%- endfor %}
        sum(x_excluded_cost) as excluded_cost,
        {%- for metric in metrics %}
        {{ 'cast(sum(line_item_count) as bigint)' if metric == 'line_items' else 'sum(' ~ metric ~ ')' }} as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_costs__daily_summary') }}
    group by 1, 2, 3, 4, 5, 6
    {%- if 'aws' in bill_kinds() %}
    union all
    select
        source,
        billing_period,
        'aws' as bill_kind,
        coalesce(cast(line_item_usage_start_date as date), billing_period) as usage_date,
        line_item_currency_code as currency_code,
        line_item_line_item_type as line_item_type,
        sum(line_item_unblended_cost) as raw_billed_cost,
        count(*) as raw_line_items,
        {%- for metric in of_focus %}
        null as raw_{{ metric }},
        {%- endfor %}
        null as excluded_cost,
        {%- for metric in metrics %}
        null as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source('raw', 'aws_cur') }}
    where {{ slice_filter() }}
    group by 1, 2, 3, 4, 5, 6
    {%- endif %}
    {%- if 'oci' in bill_kinds() %}
    union all
    select
        lines.source,
        lines.billing_period,
        'oci' as bill_kind,
        cast(date_trunc('day', lines.line_item_interval_usage_start) as date) as usage_date,
        {{ oci_currency(
            'lines.cost_currency_code', 'lines.cost_my_cost', 'lines.cost_my_cost_overage', 'currencies.currency_code'
        ) }} as currency_code,
        case
            when lines.line_item_is_correction in ('true', 'True', 'TRUE') then 'Correction' else 'Usage'
        end as line_item_type,
        sum(lines.cost_my_cost) as raw_billed_cost,
        count(*) as raw_line_items,
        {%- for metric in of_focus %}
        null as raw_{{ metric }},
        {%- endfor %}
        null as excluded_cost,
        {%- for metric in metrics %}
        null as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source('raw', 'oci_cost') }} as lines
    left join {{ ref('int_oci__currencies') }} as currencies
        on
            lines.source = currencies.source
            and lines.billing_period = currencies.billing_period
            and coalesce(lines.line_item_tenant_id, '') = coalesce(currencies.tenant_id, '')
            and coalesce(lines.cost_subscription_id, '') = coalesce(currencies.subscription_id, '')
    where {{ slice_filter('lines') }}
    group by 1, 2, 3, 4, 5, 6
    {%- endif %}
    {%- if 'focus' in bill_kinds() %}
    union all
    select
        lines.source,
        lines.billing_period,
        'focus' as bill_kind,
        case
            when lines.charge_period_start is null then lines.billing_period
            else cast(date_trunc('day', lines.charge_period_start) as date)
        end as usage_date,
        lines.billing_currency as currency_code,
        lines.charge_category as line_item_type,
        sum(lines.billed_cost) as raw_billed_cost,
        count(*) as raw_line_items,
        {%- for metric in of_focus %}
        sum(lines.{{ metric }}) as raw_{{ metric }},
        {%- endfor %}
        null as excluded_cost,
        {%- for metric in metrics %}
        null as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source('raw', 'focus') }} as lines
    left join other_bills
        on
            lines.source = other_bills.source
            and lines.billing_period = other_bills.billing_period
    where
        {{ slice_filter('lines') }}
        and other_bills.source is null
    group by 1, 2, 3, 4, 5, 6
    {%- endif %}
    {%- if 'lakehouse' in bill_kinds() %}
    union all
    select
        source,
        billing_period,
        'lakehouse' as bill_kind,
        cast(date_trunc('day', usage_date) as date) as usage_date,
        currency_code,
        provider as line_item_type,
        sum(billed_cost) as raw_billed_cost,
        cast(sum(line_item_count) as bigint) as raw_line_items,
        {%- for metric in of_focus %}
        {{ 'sum(effective_cost)' if metric == 'effective_cost' else 'null' }} as raw_{{ metric }},
        {%- endfor %}
        null as excluded_cost,
        {%- for metric in metrics %}
        null as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source('raw', 'lakehouse_costs') }}
    where {{ slice_filter() }}
    group by 1, 2, 3, 4, 5, 6
    {%- endif %}
),

days as (
    select
        source,
        billing_period,
        bill_kind,
        usage_date,
        currency_code,
        line_item_type,
        coalesce(sum(excluded_cost), 0) as excluded_cost,
        {%- for metric in metrics %}
        coalesce(sum(raw_{{ metric }}), 0) as raw_{{ metric }},
        coalesce(sum(actual_{{ metric }}), 0) as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from both_sides
    group by source, billing_period, bill_kind, usage_date, currency_code, line_item_type
),

compared as (
    select
        days.source,
        days.billing_period,
        days.bill_kind,
        days.usage_date,
        days.currency_code,
        days.line_item_type,
        metrics.metric,
        {%- for side in ['raw', 'actual'] %}
        cast(
            case metrics.metric
                {%- for metric in metrics %}
                when '{{ metric }}' then days.{{ side }}_{{ metric }}
                {%- endfor %}
            end as decimal(38, 20)
        ) as {{ side }}_amount,
        {%- endfor %}
        case when metrics.metric = 'billed_cost' then days.excluded_cost else 0 end as excluded_amount
    from days
    cross join (values {% for metric in metrics %}('{{ metric }}'){{ ', ' if not loop.last }}{% endfor %}) as metrics (metric)
    where
        days.bill_kind = 'focus'
        or metrics.metric in ({{ quoted_list(shared) }})
        or (days.bill_kind = 'lakehouse' and metrics.metric = 'effective_cost')
),

final as (
    select
        source,
        billing_period,
        bill_kind,
        usage_date,
        currency_code,
        line_item_type,
        metric,
        raw_amount,
        cast(excluded_amount as decimal(38, 20)) as excluded_amount,
        cast(raw_amount - excluded_amount as decimal(38, 20)) as expected_amount,
        actual_amount,
        cast(actual_amount - (raw_amount - excluded_amount) as decimal(38, 20)) as difference
    from compared
)

select * from final
