-- What has to be known of a slice as a whole before its lines can be valued.
with line_items as (
    select * from {{ ref('stg_aws__line_items') }}
),

slices as (
    select
        source,
        billing_period,
        count(distinct delivery_id) as delivery_count,
        -- A payer without discounts has net columns that are null or 0 on every line.
        coalesce(bool_or(
            {%- for column in net_columns() %}
            {{ 'or ' if not loop.first }}{{ column }} <> 0
            {%- endfor %}
        ), false) as net_is_active
    from line_items
    group by source, billing_period
),

final as (
    select
        *,
        cast(billing_period + interval '1' month as date) as next_period
    from slices
)

select * from final
