-- depends_on: {{ ref('int_aws__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_oci__reconciliation') }}
-- depends_on: {{ ref('int_oci__receipts_reconciliation') }}
-- depends_on: {{ ref('int_focus__reconciliation') }}
-- depends_on: {{ ref('int_focus__receipts_reconciliation') }}
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

focus_slices as (
    select * from {{ ref('int_focus__slices') }}
    where {{ slice_filter() }}
),

-- The same of FOCUS: a later load changed an invoiced bill, or says itself that it corrects one.
corrected_focus_bills as (
    select
        source,
        billing_period
    from {{ ref('int_focus__bill_history') }}
    where
        {{ slice_filter() }}
        and is_invoiced
        and differs_from_current
    group by source, billing_period
),

focus_bills as (
    select
        focus_slices.source,
        focus_slices.billing_period,
        focus_slices.delivery_id,
        focus_slices.loaded_at,
        case
            when focus_slices.has_correction or corrected_focus_bills.source is not null then 'corrected'
            when focus_slices.has_invoice and not focus_slices.has_uninvoiced_cost then 'invoiced'
            else 'open'
        end as state
    from focus_slices
    left join corrected_focus_bills
        on
            focus_slices.source = corrected_focus_bills.source
            and focus_slices.billing_period = corrected_focus_bills.billing_period
),

-- A month that FOCUS stands for has no line in other reports, though they may have been there.
other_bills as (
    select * from bills
    union all
    select * from oci_bills
),

all_bills as (
    select other_bills.*
    from other_bills
    left join focus_slices
        on
            other_bills.source = focus_slices.source
            and other_bills.billing_period = focus_slices.billing_period
    where focus_slices.source is null
    union all
    select * from focus_bills
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
    union all
    select
        source,
        billing_period,
        currency_code,
        sum(billed_cost) as billed_cost,
        {{ joined_text('invoice_id') }} as invoice_ids,
        cast(sum(line_item_count) as bigint) as line_item_count
    from {{ ref('int_focus__daily_summary') }}
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
