-- depends_on: {{ ref('int_aws__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_oci__reconciliation') }}
-- depends_on: {{ ref('int_oci__receipts_reconciliation') }}
with history as (
    select * from {{ ref('int_aws__bill_history') }}
    where {{ slice_filter() }}
),

slices as (
    select * from {{ ref('int_aws__slices') }}
    where {{ slice_filter() }}
),

current_bills as (
    select
        source,
        billing_period,
        max(delivery_id) filter (where is_current) as delivery_id,
        max(loaded_at) filter (where is_current) as loaded_at
    from history
    group by source, billing_period
),

-- An invoiced bill came before the current one, and said something else.
corrected_bills as (
    select
        history.source,
        history.billing_period
    from history
    inner join current_bills
        on
            history.source = current_bills.source
            and history.billing_period = current_bills.billing_period
    where
        history.is_invoiced
        and history.differs_from_current
        and history.loaded_at < current_bills.loaded_at
    group by history.source, history.billing_period
),

bills as (
    select
        current_bills.source,
        current_bills.billing_period,
        current_bills.delivery_id,
        current_bills.loaded_at,
        case
            when corrected_bills.source is not null then 'corrected'
            when slices.has_invoice and not slices.has_uninvoiced_cost then 'invoiced'
            else 'open'
        end as state
    from current_bills
    left join slices
        on
            current_bills.source = slices.source
            and current_bills.billing_period = slices.billing_period
    left join corrected_bills
        on
            current_bills.source = corrected_bills.source
            and current_bills.billing_period = corrected_bills.billing_period
),

-- OCI's reports name no invoice: a month of theirs stays open, and is corrected once a correction is in it.
oci_bills as (
    select
        source,
        billing_period,
        delivery_id,
        loaded_at,
        case when has_correction then 'corrected' else 'open' end as state
    from {{ ref('int_oci__slices') }}
    where {{ slice_filter() }}
),

all_bills as (
    select * from bills
    union all
    select * from oci_bills
),

costs as (
    select
        source,
        billing_period,
        currency_code,
        sum(unblended_cost) as billed_cost,
        {{ joined_text('invoice_id') }} as invoice_ids,
        cast(sum(line_item_count) as bigint) as line_item_count
    from {{ ref('int_aws__daily_summary') }}
    where {{ slice_filter() }}
    group by source, billing_period, currency_code
    union all
    select
        source,
        billing_period,
        currency_code,
        sum(cost) as billed_cost,
        cast(null as varchar) as invoice_ids,
        cast(sum(line_item_count) as bigint) as line_item_count
    from {{ ref('int_oci__daily_summary') }}
    where {{ slice_filter() }}
    group by source, billing_period, currency_code
),

-- A bill without a line has a row too: it says that the month is known and costs nothing.
final as (
    select
        all_bills.source,
        all_bills.billing_period,
        all_bills.delivery_id,
        all_bills.state,
        costs.currency_code,
        coalesce(costs.billed_cost, 0) as billed_cost,
        costs.invoice_ids,
        coalesce(costs.line_item_count, 0) as line_item_count,
        all_bills.loaded_at
    from all_bills
    left join costs
        on
            all_bills.source = costs.source
            and all_bills.billing_period = costs.billing_period
)

select
    {{ row_key(['source', 'billing_period', 'currency_code']) }} as bill_status_id,
    *
from final
