{#-
  The accepted loads of each month of a raw table that is fed by increments, one row a load and month. A load is put on record
  just before its commit, and what a killed one left on record is taken back before the next: so the newest load of a source
  alone may have no commit yet. It counts once there is a row of it. `lines` is the staging model of the table.
-#}
{% macro increment_loads(raw_table, lines) -%}
with all_receipts as (
    select * from {{ source('raw', 'receipts') }}
    where
        {{ of_raw_table(raw_table) }}
        and state = 'accepted'
),

line_items as (
    select * from {{ lines }}
    where {{ slice_filter() }}
),

newest as (
    select
        source,
        max(loaded_at) as loaded_at
    from all_receipts
    group by source
),

arrived as (
    select distinct
        source,
        billing_period,
        delivery_id
    from line_items
),

receipts as (
    select * from all_receipts
    where {{ slice_filter() }}
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
    inner join newest on receipts.source = newest.source
    left join arrived
        on
            receipts.source = arrived.source
            and receipts.billing_period = arrived.billing_period
            and receipts.delivery_id = arrived.delivery_id
    where
        receipts.loaded_at < newest.loaded_at
        or arrived.delivery_id is not null
        -- What adds nothing to the month leaves no row to tell it by.
        or coalesce(receipts."rows", 0) <= 0
)
{%- endmacro %}
