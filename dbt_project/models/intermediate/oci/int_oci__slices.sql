-- A slice as a whole. Its rows come from many loads, so the loads say which was the last: marts carry its delivery id.
with all_loads as (
    select * from {{ ref('int_oci__loads') }}
    where {{ slice_filter() }}
),

line_items as (
    select * from {{ ref('stg_oci__line_items') }}
    where {{ slice_filter() }}
),

loads as (
    select
        source,
        billing_period,
        max_by(delivery_id, loaded_at) as delivery_id,
        max(loaded_at) as loaded_at,
        count(*) as load_count
    from all_loads
    group by source, billing_period
),

contents as (
    select
        source,
        billing_period,
        count(*) as line_item_count,
        coalesce(bool_or(is_correction), false) as has_correction
    from line_items
    group by source, billing_period
),

final as (
    select
        loads.source,
        loads.billing_period,
        loads.delivery_id,
        loads.loaded_at,
        loads.load_count,
        coalesce(contents.line_item_count, 0) as line_item_count,
        coalesce(contents.has_correction, false) as has_correction
    from loads
    left join contents
        on
            loads.source = contents.source
            and loads.billing_period = contents.billing_period
)

select * from final
