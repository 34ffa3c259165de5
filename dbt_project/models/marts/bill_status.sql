-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
with slices as (
    select * from {{ ref('int_costs__slices') }}
),

-- An invoiced bill came before the current one, and said something else.
changed_bills as (
    select
        slices.source,
        slices.billing_period
    from slices
    inner join {{ ref('int_costs__bill_history') }} as history
        on
            slices.source = history.source
            and slices.billing_period = history.billing_period
    where
        history.is_invoiced
        and history.differs_from_current
        and history.loaded_at < slices.loaded_at
    group by slices.source, slices.billing_period
),

daily_summary as (
    select * from {{ ref('int_costs__daily_summary') }}
),

-- AWS and FOCUS name the invoice once a line is invoiced; some lines of a month are invoiced long before others.
contents as (
    select
        source,
        billing_period,
        coalesce(bool_or(x_is_correction), false) as has_correction,
        coalesce(bool_or(invoice_id is not null), false) as has_invoice,
        sum(uninvoiced_line_item_count) > 0 as has_uninvoiced_cost
    from daily_summary
    group by source, billing_period
),

invoices as (
    select
        source,
        billing_period,
        max(recorded_at) as recorded_at
    from {{ source('raw', 'invoices') }}
    where {{ slice_filter() }}
    group by source, billing_period
),

bills as (
    select
        slices.source,
        slices.billing_period,
        slices.delivery_id,
        slices.loaded_at,
        case
            when contents.has_correction or changed_bills.source is not null then 'corrected'
            when contents.has_invoice and not contents.has_uninvoiced_cost then 'invoiced'
            when cast(slices.loaded_at as date) >= cast(slices.billing_period + interval '1' month as date) then 'estimated'
            else 'open'
        end as state,
        invoices.recorded_at as invoices_recorded_at
    from slices
    left join contents
        on
            slices.source = contents.source
            and slices.billing_period = contents.billing_period
    left join changed_bills
        on
            slices.source = changed_bills.source
            and slices.billing_period = changed_bills.billing_period
    left join invoices
        on
            slices.source = invoices.source
            and slices.billing_period = invoices.billing_period
),

costs as (
    select
        source,
        billing_period,
        billing_currency as currency_code,
        sum(billed_cost) as billed_cost,
        {{ joined_text('invoice_id') }} as invoice_ids,
        cast(sum(line_item_count) as bigint) as line_item_count
    from daily_summary
    group by source, billing_period, billing_currency
),

-- A bill without a line has a row too: it says that the month is known and costs nothing.
final as (
    select
        bills.source,
        bills.billing_period,
        bills.delivery_id,
        bills.state,
        costs.currency_code,
        coalesce(costs.billed_cost, 0) as billed_cost,
        costs.invoice_ids,
        coalesce(costs.line_item_count, 0) as line_item_count,
        bills.loaded_at,
        bills.state as bill_state,
        bills.invoices_recorded_at,
        -- Publication fills these in: a build knows nothing of closed months.
        cast(null as timestamp(6)) as closed_at,
        cast(null as varchar) as closed_by,
        cast(null as varchar) as closing_note,
        cast(null as varchar) as pending_delivery_id,
        cast(null as timestamp(6)) as pending_loaded_at,
        cast(null as decimal(38, 20)) as pending_billed_cost,
        cast(null as decimal(38, 20)) as pending_change
    from bills
    left join costs
        on
            bills.source = costs.source
            and bills.billing_period = costs.billing_period
)

select
    {{ row_key(['source', 'billing_period', 'currency_code']) }} as bill_status_id,
    *
from final
