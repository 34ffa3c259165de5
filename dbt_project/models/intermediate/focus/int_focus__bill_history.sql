-- What each month's bill came to after every load, and whether it was invoiced by then. Read from the receipts and control
-- totals alone: rows that later loads replaced are gone.
with loads as (
    select * from {{ ref('int_focus__loads') }}
    where {{ slice_filter() }}
),

slices as (
    select * from {{ ref('int_focus__slices') }}
    where {{ slice_filter() }}
),

totals as (
    select
        source,
        billing_period,
        load_id,
        currency_code,
        line_item_type,
        coalesce(invoice_id, '') as invoice_id,
        sum(stored) as cost,
        sum(line_items) as line_item_count
    from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.focus') }}
        and metric = 'billed_cost'
    group by source, billing_period, load_id, currency_code, line_item_type, coalesce(invoice_id, '')
),

-- A load adds to what earlier ones brought, and takes out what it replaces.
so_far as (
    select
        loads.source,
        loads.billing_period,
        loads.load_id,
        totals.currency_code,
        totals.line_item_type,
        totals.invoice_id,
        sum(totals.cost) as cost,
        sum(totals.line_item_count) as line_item_count
    from loads
    inner join loads as earlier
        on
            loads.source = earlier.source
            and loads.billing_period = earlier.billing_period
            and loads.loaded_at >= earlier.loaded_at
    inner join totals
        on
            earlier.source = totals.source
            and earlier.billing_period = totals.billing_period
            and earlier.load_id = totals.load_id
    group by
        loads.source,
        loads.billing_period,
        loads.load_id,
        totals.currency_code,
        totals.line_item_type,
        totals.invoice_id
),

bills as (
    select
        source,
        billing_period,
        load_id,
        coalesce(bool_or(invoice_id <> '' and line_item_count > 0), false)
        and not coalesce(bool_or(invoice_id = '' and cost <> 0), false) as has_all_invoiced
    from so_far
    group by source, billing_period, load_id
),

current_loads as (
    select
        loads.source,
        loads.billing_period,
        loads.load_id
    from loads
    inner join slices
        on
            loads.source = slices.source
            and loads.billing_period = slices.billing_period
            and loads.loaded_at = slices.loaded_at
),

-- What does not cancel out against the current bill has changed since.
compared as (
    select
        source,
        billing_period,
        load_id,
        currency_code,
        line_item_type,
        invoice_id,
        cost
    from so_far
    union all
    select
        loads.source,
        loads.billing_period,
        loads.load_id,
        so_far.currency_code,
        so_far.line_item_type,
        so_far.invoice_id,
        -so_far.cost as cost
    from loads
    inner join current_loads
        on
            loads.source = current_loads.source
            and loads.billing_period = current_loads.billing_period
    inner join so_far
        on
            current_loads.source = so_far.source
            and current_loads.billing_period = so_far.billing_period
            and current_loads.load_id = so_far.load_id
),

changed_groups as (
    select
        source,
        billing_period,
        load_id
    from compared
    group by source, billing_period, load_id, currency_code, line_item_type, invoice_id
    having sum(cost) <> 0
),

changed as (
    select distinct
        source,
        billing_period,
        load_id
    from changed_groups
),

final as (
    select
        loads.source,
        loads.billing_period,
        loads.load_id,
        loads.delivery_id,
        loads.loaded_at,
        loads.file_count,
        loads.line_item_count,
        current_loads.load_id is not null as is_current,
        -- Before its month is over no bill is final, whatever purchases are invoiced at once.
        coalesce(bills.has_all_invoiced, false)
        and cast(loads.loaded_at as date) >= cast(loads.billing_period + interval '1' month as date) as is_invoiced,
        changed.load_id is not null as differs_from_current
    from loads
    left join bills
        on
            loads.source = bills.source
            and loads.billing_period = bills.billing_period
            and loads.load_id = bills.load_id
    left join current_loads
        on
            loads.source = current_loads.source
            and loads.billing_period = current_loads.billing_period
            and loads.load_id = current_loads.load_id
    left join changed
        on
            loads.source = changed.source
            and loads.billing_period = changed.billing_period
            and loads.load_id = changed.load_id
)

select * from final
