-- What each month's bill came to after every load, and whether it was invoiced by then. Read from the receipts and control totals
-- alone: the rows of earlier deliveries are gone.
with loads as (
    select * from {{ ref('int_costs__loads') }}
),

totals as (
    select
        source,
        billing_period,
        load_id,
        payer_account_id,
        nullif(currency_code, '') as currency_code,
        line_item_type,
        coalesce(invoice_id, '') as invoice_id,
        sum(stored) as cost,
        sum(line_items) as line_item_count
    from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and metric in ({{ quoted_list(billed_metrics()) }})
    group by
        source,
        billing_period,
        load_id,
        payer_account_id,
        nullif(currency_code, ''),
        line_item_type,
        coalesce(invoice_id, '')
),

-- An increment adds to what earlier ones brought, and takes out what it replaces; a whole delivery is the bill by itself.
so_far as (
    select
        loads.source,
        loads.billing_period,
        loads.load_id,
        totals.payer_account_id,
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
            and (
                loads.load_id = earlier.load_id
                or (loads.bill_kind in ({{ increment_kinds() }}) and loads.loaded_at > earlier.loaded_at)
            )
    inner join totals
        on
            earlier.source = totals.source
            and earlier.billing_period = totals.billing_period
            and earlier.load_id = totals.load_id
    group by
        loads.source,
        loads.billing_period,
        loads.load_id,
        totals.payer_account_id,
        totals.currency_code,
        totals.line_item_type,
        totals.invoice_id
),

invoicing as (
    select
        source,
        billing_period,
        load_id,
        coalesce(bool_or(invoice_id <> '' and line_item_count > 0), false)
        and not coalesce(bool_or(invoice_id = '' and cost <> 0), false) as has_all_invoiced
    from so_far
    group by source, billing_period, load_id
),

-- Each load's bill against the current one: what does not cancel out has changed since.
compared as (
    select
        source,
        billing_period,
        load_id,
        payer_account_id,
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
        so_far.payer_account_id,
        so_far.currency_code,
        so_far.line_item_type,
        so_far.invoice_id,
        -so_far.cost as cost
    from loads
    inner join loads as current_loads
        on
            loads.source = current_loads.source
            and loads.billing_period = current_loads.billing_period
            and current_loads.is_current
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
    group by source, billing_period, load_id, payer_account_id, currency_code, line_item_type, invoice_id
    having sum(cost) <> 0
),

changed as (
    select distinct
        source,
        billing_period,
        load_id
    from changed_groups
),

costs_so_far as (
    select
        source,
        billing_period,
        load_id,
        currency_code,
        sum(cost) as cost_so_far
    from so_far
    group by source, billing_period, load_id, currency_code
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
        loads.is_current,
        coalesce(invoicing.has_all_invoiced, false)
        -- Before its month is over no bill in FOCUS is final, whatever purchases are invoiced at once.
        and (
            loads.bill_kind <> 'focus'
            or cast(loads.loaded_at as date) >= cast(loads.billing_period + interval '1' month as date)
        ) as is_invoiced,
        changed.load_id is not null as differs_from_current,
        costs_so_far.currency_code,
        coalesce(costs_so_far.cost_so_far, 0) as cost_so_far
    from loads
    left join invoicing
        on
            loads.source = invoicing.source
            and loads.billing_period = invoicing.billing_period
            and loads.load_id = invoicing.load_id
    left join changed
        on
            loads.source = changed.source
            and loads.billing_period = changed.billing_period
            and loads.load_id = changed.load_id
    left join costs_so_far
        on
            loads.source = costs_so_far.source
            and loads.billing_period = costs_so_far.billing_period
            and loads.load_id = costs_so_far.load_id
)

select * from final
