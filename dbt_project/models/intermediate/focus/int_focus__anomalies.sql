-- What is odd about a bill without being wrong: counted with its cost and one example, never dropped. Columns that FOCUS wants
-- in every row are named where they are empty, and called missing where a slice has none of their values.
{%- set mandatory = focus_mandatory_columns() %}
{%- set flags = {
    'has_no_currency': ['no currency', 'BillingCurrency', none],
    'is_unknown_category': ['unknown charge category', none, none],
    'is_outside_period': ['charge outside the billing period', none, none],
} %}
{%- for column, about in mandatory.items() %}
    {%- do flags.update({'lacks_' ~ column: ['mandatory column is empty', about[0], about[1]]}) %}
{%- endfor %}

with slices as (
    select
        source,
        billing_period,
        delivery_id,
        cast(billing_period + interval '1' month as date) as next_period
    from {{ ref('int_focus__slices') }}
    where {{ slice_filter() }}
),

flagged as (
    select
        lines.source,
        lines.billing_period,
        slices.delivery_id,
        lines.charge_category,
        lines.charge_class,
        lines.invoice_id,
        lines.billing_currency as currency_code,
        lines.billed_cost,
        lines.service_provider_name,
        lines.pricing_quantity,
        lines.file_name || lpad(cast(lines.row_number as varchar), 12, '0') as place,
        lines.billing_currency is null as has_no_currency,
        coalesce(lines.charge_category not in ({{ quoted_list(focus_charge_categories()) }}), false) as is_unknown_category,
        coalesce(
            lines.charge_period_start < coalesce(lines.billing_period_start, lines.billing_period)
            or lines.charge_period_start >= coalesce(lines.billing_period_end, slices.next_period)
            or lines.charge_period_end > coalesce(lines.billing_period_end, slices.next_period),
            false
        ) as is_outside_period,
        {%- for column, about in mandatory.items() %}
        lines.{{ column }} is null as lacks_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('stg_focus__line_items') }} as lines
    inner join slices
        on
            lines.source = slices.source
            and lines.billing_period = slices.billing_period
    where {{ slice_filter('lines') }}
),

-- One pass over the rows, whatever is looked for.
counted as (
    select
        source,
        billing_period,
        delivery_id,
        charge_category,
        invoice_id,
        currency_code,
        {%- for flag, about in flags.items() %}
        {%- set found = flag ~ (' and ' ~ about[2] if about[2] else '') %}
        count_if({{ about[2] or 'true' }}) as looked_at_{{ flag }},
        count_if({{ found }}) as rows_{{ flag }},
        sum(billed_cost) filter (where {{ found }}) as cost_{{ flag }},
        min(place) filter (where {{ found }}) as place_{{ flag }}{{ ',' if not loop.last }}
        {%- endfor %}
    from flagged
    group by source, billing_period, delivery_id, charge_category, invoice_id, currency_code
),

named as (
    select
        counted.source,
        counted.billing_period,
        counted.delivery_id,
        reasons.reason,
        reasons.detail,
        counted.charge_category,
        counted.invoice_id,
        counted.currency_code,
        {%- for number in ['looked_at', 'rows', 'cost', 'place'] %}
        case reasons.flag
            {%- for flag in flags %}
            when '{{ flag }}' then counted.{{ number }}_{{ flag }}
            {%- endfor %}
        end as {{ number }}_found{{ ',' if not loop.last }}
        {%- endfor %}
    from counted
    cross join (
        values
        {%- for flag, about in flags.items() %}
        ('{{ flag }}', '{{ about[0] }}', {{ "'" ~ about[1] ~ "'" if about[1] else 'cast(null as varchar)' }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as reasons (flag, reason, detail)
),

judged as (
    select
        *,
        sum(looked_at_found) over (partition by source, billing_period, reason, detail)
        = sum(rows_found) over (partition by source, billing_period, reason, detail)
        and reason = 'mandatory column is empty' as is_missing
    from named
),

-- Of a column that the whole slice lacks, kinds of charge and invoices tell nothing.
told as (
    select
        source,
        billing_period,
        delivery_id,
        case when is_missing then 'mandatory column is missing' else reason end as reason,
        detail,
        case when not is_missing then charge_category end as line_item_type,
        case when not is_missing then invoice_id end as invoice_id,
        currency_code,
        rows_found,
        coalesce(cost_found, 0) as cost_found,
        place_found
    from judged
    where rows_found > 0
),

final as (
    select
        source,
        billing_period,
        delivery_id,
        reason,
        detail,
        line_item_type,
        invoice_id,
        currency_code,
        cast(sum(rows_found) as bigint) as line_item_count,
        sum(cost_found) as amount,
        substr(min(place_found), 1, length(min(place_found)) - 12) as example_file_name,
        cast(substr(min(place_found), -12) as bigint) as example_row_number
    from told
    group by source, billing_period, delivery_id, reason, detail, line_item_type, invoice_id, currency_code
)

select * from final
