-- A slice as a whole. Its rows come from many loads, so the loads say which was the last: marts carry its delivery id.
with all_loads as (
    select * from {{ ref('int_focus__loads') }}
    where {{ slice_filter() }}
),

line_items as (
    select * from {{ ref('stg_focus__line_items') }}
    where
        {{ slice_filter() }}
        and (source, billing_period) in (select source, billing_period from all_loads)
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
        coalesce(bool_or(charge_class = 'Correction'), false) as has_correction,
        -- A row has an invoice id once it is on an invoice; FOCUS before 1.2 has none.
        coalesce(bool_or(billed_cost <> 0 and invoice_id is null), false) as has_uninvoiced_cost,
        coalesce(bool_or(invoice_id is not null), false) as has_invoice
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
        coalesce(contents.has_correction, false) as has_correction,
        coalesce(contents.has_uninvoiced_cost, false) as has_uninvoiced_cost,
        coalesce(contents.has_invoice, false) as has_invoice
    from loads
    left join contents
        on
            loads.source = contents.source
            and loads.billing_period = contents.billing_period
)

select * from final
