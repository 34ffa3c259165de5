-- Raw reports and mart side by side, per day, currency and metric: no row where all is well. The raw side is added up from
-- `raw.oci_cost` in its own words: it shares no expression with the models that it checks.
with raw_lines as (
    select
        source,
        billing_period,
        file_name,
        row_number,
        line_item_tenant_id,
        line_item_reference_no,
        line_item_backreference_no,
        line_item_interval_usage_start,
        usage_billed_quantity,
        usage_billed_quantity_overage,
        cost_my_cost,
        cost_my_cost_overage,
        cost_currency_code,
        line_item_is_correction in ('true', 'True', 'TRUE') as corrects,
        min(cost_currency_code) over (
            partition by source, billing_period, line_item_tenant_id, cost_subscription_id
        ) as first_currency,
        max(cost_currency_code) over (
            partition by source, billing_period, line_item_tenant_id, cost_subscription_id
        ) as last_currency,
        min(cost_currency_code) over (partition by source, billing_period, line_item_tenant_id) as first_of_tenancy,
        max(cost_currency_code) over (partition by source, billing_period, line_item_tenant_id) as last_of_tenancy
    from {{ source('raw', 'oci_cost') }}
),

-- Rows that a correction of their slice and tenancy names, other than ones that name themselves.
named_lines as (
    select
        raw_lines.source,
        raw_lines.billing_period,
        raw_lines.file_name,
        raw_lines.row_number
    from raw_lines
    inner join raw_lines as corrections
        on
            raw_lines.source = corrections.source
            and raw_lines.billing_period = corrections.billing_period
            and raw_lines.line_item_tenant_id = corrections.line_item_tenant_id
            and raw_lines.line_item_reference_no = corrections.line_item_backreference_no
    where
        corrections.corrects
        and raw_lines.line_item_backreference_no is distinct from raw_lines.line_item_reference_no
    group by raw_lines.source, raw_lines.billing_period, raw_lines.file_name, raw_lines.row_number
),

dated_lines as (
    select
        raw_lines.source,
        raw_lines.billing_period,
        cast(date_trunc('day', raw_lines.line_item_interval_usage_start) as date) as usage_day,
        case
            when
                raw_lines.cost_currency_code is not null
                or abs(coalesce(raw_lines.cost_my_cost, 0)) + abs(coalesce(raw_lines.cost_my_cost_overage, 0)) > 0
                then raw_lines.cost_currency_code
            when raw_lines.first_currency is not null
                then nullif(
                    raw_lines.first_currency,
                    case when raw_lines.first_currency <> raw_lines.last_currency then raw_lines.first_currency end
                )
            when raw_lines.first_of_tenancy = raw_lines.last_of_tenancy then raw_lines.first_of_tenancy
        end as currency,
        named_lines.source is not null and {{ corrections_replace('raw_lines.source') }} as replaced,
        raw_lines.usage_billed_quantity,
        raw_lines.usage_billed_quantity_overage,
        raw_lines.cost_my_cost,
        raw_lines.cost_my_cost_overage
    from raw_lines
    left join named_lines
        on
            raw_lines.source = named_lines.source
            and raw_lines.billing_period = named_lines.billing_period
            and raw_lines.file_name = named_lines.file_name
            and raw_lines.row_number = named_lines.row_number
),

{%- set metrics = {
    'cost': ['sum(cost_my_cost)', 'sum(cost)'],
    'cost_overage': ['sum(cost_my_cost_overage)', 'sum(cost_overage)'],
    'billed_quantity': ['sum(usage_billed_quantity)', 'sum(billed_quantity)'],
    'billed_quantity_overage': ['sum(usage_billed_quantity_overage)', 'sum(billed_quantity_overage)'],
} %}

-- One row a day from each side: what the reports say, what of it corrections replace, what the summary says. Lines are counted
-- whether they are replaced or not.
both_sides as (
    select
        source,
        billing_period,
        usage_day as usage_date,
        currency as currency_code,
        {%- for metric, sums in metrics.items() %}
        {{ sums[0] }} as raw_{{ metric }},
        {{ sums[0] }} filter (where replaced) as excluded_{{ metric }},
        cast(null as decimal(38, 20)) as actual_{{ metric }},
        {%- endfor %}
        count(*) as raw_line_items,
        cast(0 as bigint) as excluded_line_items,
        cast(0 as bigint) as actual_line_items
    from dated_lines
    group by source, billing_period, usage_day, currency
    union all
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        {%- for metric, sums in metrics.items() %}
        null as raw_{{ metric }},
        null as excluded_{{ metric }},
        {{ sums[1] }} as actual_{{ metric }},
        {%- endfor %}
        0 as raw_line_items,
        0 as excluded_line_items,
        sum(line_item_count) as actual_line_items
    from {{ ref('oci_daily_summary') }}
    group by source, billing_period, usage_date, currency_code
),

{%- set all_metrics = metrics.keys() | list + ['line_items'] %}

days as (
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        {%- for metric in all_metrics %}
        coalesce(sum(raw_{{ metric }}), 0) as raw_{{ metric }},
        coalesce(sum(excluded_{{ metric }}), 0) as excluded_{{ metric }},
        coalesce(sum(actual_{{ metric }}), 0) as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from both_sides
    group by source, billing_period, usage_date, currency_code
),

compared as (
    select
        days.source,
        days.billing_period,
        days.usage_date,
        days.currency_code,
        metrics.metric,
        {%- for side in ['raw', 'excluded', 'actual'] %}
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
        metric,
        raw_amount,
        excluded_amount,
        raw_amount - excluded_amount as expected_amount,
        actual_amount,
        actual_amount - (raw_amount - excluded_amount) as difference
    from compared
)

select * from final
where difference <> 0 or difference is null
