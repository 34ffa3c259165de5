-- What is odd about a bill without being wrong: counted with its cost and one example, never dropped.
with line_items as (
    select
        *,
        usage_date < billing_period or usage_date >= cast(billing_period + interval '1' month as date)
            as is_outside_period,
        cast(own_billing_period_start as date) <> billing_period as has_other_period,
        coalesce(line_item_type not in ({{ quoted_list(known_line_item_types()) }}), true) as is_unknown_type,
        currency_code is null as has_no_currency
    from {{ ref('int_aws__line_item_costs') }}
    where {{ slice_filter() }}
),

flagged as (
    select
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        usage_date,
        line_item_type,
        invoice_id,
        currency_code,
        commitment_arn,
        unblended_cost,
        is_outside_period,
        has_other_period,
        is_unknown_type,
        has_no_currency,
        is_parented_charge,
        is_unamortized_fee,
        is_undated
    from line_items
    where
        is_outside_period
        or has_other_period
        or is_unknown_type
        or has_no_currency
        or is_parented_charge
        or is_unamortized_fee
        or is_undated
),

named as (
    {%- for flag, reason in [
        ('is_outside_period', 'usage outside the billing period'),
        ('has_other_period', 'line of another billing period'),
        ('is_unknown_type', 'unknown line item type'),
        ('has_no_currency', 'no currency'),
        ('is_parented_charge', 'charge that names a parent'),
        ('is_unamortized_fee', 'fee that AWS does not amortise'),
        ('is_undated', 'no usage start'),
    ] %}
    select
        source,
        billing_period,
        delivery_id,
        '{{ reason }}' as reason,
        {{ 'commitment_arn' if flag == 'is_unamortized_fee' else 'cast(null as varchar)' }} as detail,
        line_item_type,
        invoice_id,
        currency_code,
        unblended_cost,
        file_name,
        row_number
    from flagged
    where {{ flag }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

line_anomalies as (
    select
        source,
        billing_period,
        delivery_id,
        reason,
        detail,
        line_item_type,
        invoice_id,
        currency_code,
        count(*) as line_item_count,
        sum(unblended_cost) as amount,
        min_by(file_name, file_name || lpad(cast(row_number as varchar), 12, '0')) as example_file_name,
        min_by(row_number, file_name || lpad(cast(row_number as varchar), 12, '0')) as example_row_number
    from named
    group by source, billing_period, delivery_id, reason, detail, line_item_type, invoice_id, currency_code
),

daily_summary as (
    select * from {{ ref('int_aws__daily_summary') }}
    where {{ slice_filter() }}
),

-- Two tag keys of one line came to the same key, and one value is not shown; the detail is an example.
tag_collisions as (
    select
        source,
        billing_period,
        delivery_id,
        'tag keys that become one' as reason,
        min(tags) as detail,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
        currency_code,
        sum(tag_collisions) as line_item_count,
        sum(unblended_cost) as amount,
        cast(null as varchar) as example_file_name,
        cast(null as bigint) as example_row_number
    from daily_summary
    where tag_collisions > 0
    group by source, billing_period, delivery_id, currency_code
),

-- Net prices hold the discounts that unblended costs have on lines of their own: per invoice both come to the same bill.
net_differences as (
    select
        daily_summary.source,
        daily_summary.billing_period,
        daily_summary.delivery_id,
        'net and unblended cost differ' as reason,
        cast(null as varchar) as detail,
        cast(null as varchar) as line_item_type,
        daily_summary.invoice_id,
        daily_summary.currency_code,
        sum(daily_summary.line_item_count) as line_item_count,
        sum(daily_summary.net_unblended_cost - daily_summary.unblended_cost) as amount,
        cast(null as varchar) as example_file_name,
        cast(null as bigint) as example_row_number
    from daily_summary
    inner join {{ ref('int_aws__slices') }} as slices
        on
            daily_summary.source = slices.source
            and daily_summary.billing_period = slices.billing_period
    where slices.net_is_active
    group by
        daily_summary.source,
        daily_summary.billing_period,
        daily_summary.delivery_id,
        daily_summary.invoice_id,
        daily_summary.currency_code
    having abs(sum(daily_summary.net_unblended_cost - daily_summary.unblended_cost)) >= 0.005
),

all_anomalies as (
    select * from line_anomalies
    union all
    select * from tag_collisions
    union all
    select * from net_differences
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
        cast(line_item_count as bigint) as line_item_count,
        amount,
        example_file_name,
        example_row_number
    from all_anomalies
)

select * from final
