-- The accepted deliveries of each month, newest first, and whether the bill was invoiced by then. Read from the receipts and
-- control totals alone: the lines of earlier deliveries are gone.
with receipts as (
    select
        source,
        billing_period,
        delivery_id,
        max(loaded_at) as loaded_at
    from {{ source('raw', 'receipts') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.aws_cur') }}
        and state = 'accepted'
    group by source, billing_period, delivery_id
),

slices as (
    select * from {{ ref('int_aws__slices') }}
    where {{ slice_filter() }}
),

totals as (
    select
        source,
        billing_period,
        delivery_id,
        payer_account_id,
        currency_code,
        line_item_type,
        coalesce(invoice_id, '') as invoice_id,
        stored
    from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.aws_cur') }}
        and metric = 'line_item_unblended_cost'
),

invoicing as (
    select
        source,
        billing_period,
        delivery_id,
        coalesce(bool_or(invoice_id <> ''), false) and not coalesce(bool_or(invoice_id = '' and stored <> 0), false)
            as is_invoiced
    from totals
    group by source, billing_period, delivery_id
),

-- The rows say which delivery is current; where a slice has none, the newest receipt does.
current_deliveries as (
    select
        receipts.source,
        receipts.billing_period,
        coalesce(max(slices.delivery_id), max_by(receipts.delivery_id, receipts.loaded_at)) as delivery_id
    from receipts
    left join slices
        on
            receipts.source = slices.source
            and receipts.billing_period = slices.billing_period
    group by receipts.source, receipts.billing_period
),

deliveries as (
    select
        receipts.source,
        receipts.billing_period,
        receipts.delivery_id,
        receipts.loaded_at,
        coalesce(invoicing.is_invoiced, false) as is_invoiced,
        receipts.delivery_id = current_deliveries.delivery_id as is_current,
        current_deliveries.delivery_id as current_delivery_id
    from receipts
    inner join current_deliveries
        on
            receipts.source = current_deliveries.source
            and receipts.billing_period = current_deliveries.billing_period
    left join invoicing
        on
            receipts.source = invoicing.source
            and receipts.billing_period = invoicing.billing_period
            and receipts.delivery_id = invoicing.delivery_id
),

-- Each earlier delivery's totals against the current one's: what does not cancel out has changed.
compared as (
    select
        deliveries.source,
        deliveries.billing_period,
        deliveries.delivery_id,
        totals.payer_account_id,
        totals.currency_code,
        totals.line_item_type,
        totals.invoice_id,
        totals.stored
    from deliveries
    inner join totals
        on
            deliveries.source = totals.source
            and deliveries.billing_period = totals.billing_period
            and deliveries.delivery_id = totals.delivery_id
    union all
    select
        deliveries.source,
        deliveries.billing_period,
        deliveries.delivery_id,
        totals.payer_account_id,
        totals.currency_code,
        totals.line_item_type,
        totals.invoice_id,
        -totals.stored as stored
    from deliveries
    inner join totals
        on
            deliveries.source = totals.source
            and deliveries.billing_period = totals.billing_period
            and deliveries.current_delivery_id = totals.delivery_id
),

changed_groups as (
    select
        source,
        billing_period,
        delivery_id
    from compared
    group by source, billing_period, delivery_id, payer_account_id, currency_code, line_item_type, invoice_id
    having sum(stored) <> 0
),

changed as (
    select distinct
        source,
        billing_period,
        delivery_id
    from changed_groups
),

final as (
    select
        deliveries.source,
        deliveries.billing_period,
        deliveries.delivery_id,
        deliveries.loaded_at,
        deliveries.is_current,
        deliveries.is_invoiced,
        changed.delivery_id is not null as differs_from_current
    from deliveries
    left join changed
        on
            deliveries.source = changed.source
            and deliveries.billing_period = changed.billing_period
            and deliveries.delivery_id = changed.delivery_id
)

select * from final
