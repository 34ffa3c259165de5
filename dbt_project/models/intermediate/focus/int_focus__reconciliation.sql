-- Raw rows and daily summary side by side, per day, currency, charge category and metric. The raw side is added up from
-- `raw.focus` in its own words: it shares no expression with the model that it checks.
{%- set metrics = focus_daily_summary_sums() %}

with other_bills as (
    {%- for table in ['aws_cur', 'oci_cost'] %}
    select distinct
        source,
        billing_period
    from {{ source('raw', table) }}
    where {{ slice_filter() }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

raw_lines as (
    select
        lines.source,
        lines.billing_period,
        case
            when lines.charge_period_start is null then lines.billing_period
            else cast(date_trunc('day', lines.charge_period_start) as date)
        end as usage_day,
        lines.billing_currency,
        lines.charge_category,
        {%- for metric in metrics %}
        lines.{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source('raw', 'focus') }} as lines
    left join other_bills
        on
            lines.source = other_bills.source
            and lines.billing_period = other_bills.billing_period
    where
        {{ slice_filter('lines') }}
        and other_bills.source is null
),

both_sides as (
    select
        source,
        billing_period,
        usage_day as usage_date,
        billing_currency as currency_code,
        charge_category as line_item_type,
        {%- for metric in metrics %}
        sum({{ metric }}) as raw_{{ metric }},
        cast(null as decimal(38, 20)) as actual_{{ metric }},
        {%- endfor %}
        count(*) as raw_line_items,
        cast(0 as bigint) as actual_line_items
    from raw_lines
    group by source, billing_period, usage_day, billing_currency, charge_category
    union all
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        charge_category as line_item_type,
        {%- for metric in metrics %}
        null as raw_{{ metric }},
        sum({{ metric }}) as actual_{{ metric }},
        {%- endfor %}
        0 as raw_line_items,
        sum(line_item_count) as actual_line_items
    from {{ ref('int_focus__daily_summary') }}
    where {{ slice_filter() }}
    group by source, billing_period, usage_date, currency_code, charge_category
),

{%- set all_metrics = metrics + ['line_items'] %}

days as (
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        line_item_type,
        {%- for metric in all_metrics %}
        coalesce(sum(raw_{{ metric }}), 0) as raw_{{ metric }},
        coalesce(sum(actual_{{ metric }}), 0) as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from both_sides
    group by source, billing_period, usage_date, currency_code, line_item_type
),

compared as (
    select
        days.source,
        days.billing_period,
        days.usage_date,
        days.currency_code,
        days.line_item_type,
        metrics.metric,
        {%- for side in ['raw', 'actual'] %}
        cast(
            case metrics.metric
                {%- for metric in all_metrics %}
                when '{{ metric }}' then days.{{ side }}_{{ metric }}
                {%- endfor %}
            end as decimal(38, 20)
        ) as {{ side }}_amount{{ ',' if not loop.last }}
        {%- endfor %}
    from days
    cross join (
        values {% for metric in all_metrics %}('{{ metric }}'){{ ', ' if not loop.last }}{% endfor %}
    ) as metrics (metric)
),

final as (
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        line_item_type,
        metric,
        raw_amount as expected_amount,
        actual_amount,
        actual_amount - raw_amount as difference
    from compared
)

select * from final
