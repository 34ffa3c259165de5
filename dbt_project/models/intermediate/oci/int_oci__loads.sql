-- The accepted loads of each month. A load is put on record just before its commit, so the newest ones may still be under way or
-- have been killed: they count from when there is a row of theirs, or of a later load.
with receipts as (
    select * from {{ source('raw', 'receipts') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.oci_cost') }}
        and state = 'accepted'
),

line_items as (
    select * from {{ ref('stg_oci__line_items') }}
    where {{ slice_filter() }}
),

arrived as (
    select distinct
        source,
        billing_period,
        delivery_id
    from line_items
),

newest as (
    select
        receipts.source,
        receipts.billing_period,
        max(receipts.loaded_at) as loaded_at
    from receipts
    inner join arrived
        on
            receipts.source = arrived.source
            and receipts.billing_period = arrived.billing_period
            and receipts.delivery_id = arrived.delivery_id
    group by receipts.source, receipts.billing_period
),

final as (
    select
        receipts.source,
        receipts.billing_period,
        receipts.load_id,
        receipts.delivery_id,
        receipts.loaded_at,
        receipts.files as file_count,
        coalesce(receipts."rows", 0) as line_item_count
    from receipts
    left join newest
        on
            receipts.source = newest.source
            and receipts.billing_period = newest.billing_period
    where
        -- A load that adds nothing to the month leaves no row to tell it by.
        coalesce(receipts."rows", 0) <= 0
        or receipts.loaded_at <= newest.loaded_at
)

select * from final
