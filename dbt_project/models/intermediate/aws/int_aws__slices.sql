-- What has to be known of a slice as a whole before its lines can be valued.
with line_items as (
    select * from {{ ref('stg_aws__line_items') }}
    where {{ slice_filter() }}
),

slices as (
    select
        source,
        billing_period,
        max(delivery_id) as delivery_id,
        count(distinct delivery_id) as delivery_count,
        count(*) as line_item_count,
        -- A payer without discounts has net columns that are null or 0 on every line.
        coalesce(bool_or(
            {%- for column in net_columns() %}
            {{ 'or ' if not loop.first }}{{ column }} <> 0
            {%- endfor %}
        ), false) as net_is_active,
        -- AWS writes the invoice id once a line is invoiced; some lines of a month are invoiced long before others.
        coalesce(bool_or(unblended_cost <> 0 and invoice_id is null), false) as has_uninvoiced_cost,
        coalesce(bool_or(invoice_id is not null), false) as has_invoice
    from line_items
    group by source, billing_period
)

select * from slices
