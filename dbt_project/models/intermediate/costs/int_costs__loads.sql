-- The accepted loads of each month's bill, one row a load and month: the one kind of bill that the month stands on, where a source
-- delivers several that say the same (FOCUS beside a CUR or OCI's cost reports).
with all_receipts as (
    select
        source,
        billing_period,
        {{ bill_kind() }} as bill_kind,
        load_id,
        delivery_id,
        loaded_at,
        files as file_count,
        coalesce("rows", 0) as line_item_count
    from {{ source('raw', 'receipts') }}
    where state = 'accepted'
),

-- Increments are put on record just before their commit, and what a killed one left on record is taken back before the next: so
-- the newest load of a source alone may have no commit yet. It counts once there is a row of it.
newest as (
    select
        source,
        bill_kind,
        max(loaded_at) as loaded_at
    from all_receipts
    where bill_kind is not null
    group by source, bill_kind
),

receipts as (
    select * from all_receipts
    where
        {{ slice_filter() }}
        and bill_kind is not null
),

arrived as (
    {%- for kind in bill_kinds() %}
    select distinct
        source,
        billing_period,
        delivery_id,
        '{{ kind }}' as bill_kind
    from {{ ref('stg_' ~ kind ~ '__line_items') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

increments as (
    select receipts.*
    from receipts
    inner join newest
        on
            receipts.source = newest.source
            and receipts.bill_kind = newest.bill_kind
    left join arrived
        on
            receipts.source = arrived.source
            and receipts.billing_period = arrived.billing_period
            and receipts.delivery_id = arrived.delivery_id
            and receipts.bill_kind = arrived.bill_kind
    where
        receipts.bill_kind in ({{ increment_kinds() }})
        and (
            receipts.loaded_at < newest.loaded_at
            or arrived.delivery_id is not null
            -- What adds nothing to the month leaves no row to tell it by.
            or receipts.line_item_count <= 0
        )
),

-- The rows say which whole delivery is current; where a slice has none, the newest receipt does. A delivery that was loaded
-- again is one delivery: its last load counts.
whole_deliveries as (
    select
        source,
        billing_period,
        bill_kind,
        max_by(load_id, loaded_at) as load_id,
        delivery_id,
        max(loaded_at) as loaded_at,
        max_by(file_count, loaded_at) as file_count,
        max_by(line_item_count, loaded_at) as line_item_count
    from receipts
    where bill_kind not in ({{ increment_kinds() }})
    group by source, billing_period, bill_kind, delivery_id
),

all_loads as (
    select
        increments.*,
        increments.loaded_at = max(increments.loaded_at) over (partition by source, billing_period, bill_kind) as is_current
    from increments
    union all
    select
        whole_deliveries.*,
        whole_deliveries.delivery_id = coalesce(
            max(arrived.delivery_id) over (
                partition by whole_deliveries.source, whole_deliveries.billing_period, whole_deliveries.bill_kind
            ),
            max_by(whole_deliveries.delivery_id, whole_deliveries.loaded_at) over (
                partition by whole_deliveries.source, whole_deliveries.billing_period, whole_deliveries.bill_kind
            )
        ) as is_current
    from whole_deliveries
    left join arrived
        on
            whole_deliveries.source = arrived.source
            and whole_deliveries.billing_period = arrived.billing_period
            and whole_deliveries.bill_kind = arrived.bill_kind
            and whole_deliveries.delivery_id = arrived.delivery_id
),

-- A month without a line of other reports is FOCUS's, though they may have been there.
kinds as (
    select
        source,
        billing_period,
        bill_kind,
        row_number() over (
            partition by source, billing_period
            order by
                case
                    {%- for kind in every_bill_kind() %}
                    when bill_kind = '{{ kind }}' {{ 'and has_rows ' if kind != 'focus' }}then {{ loop.index }}
                    {%- endfor %}
                    else {{ every_bill_kind() | length + 1 }}
                end,
                bill_kind
        ) as preference
    from (
        select
            all_loads.source,
            all_loads.billing_period,
            all_loads.bill_kind,
            coalesce(bool_or(arrived.source is not null), false) as has_rows
        from all_loads
        left join arrived
            on
                all_loads.source = arrived.source
                and all_loads.billing_period = arrived.billing_period
                and all_loads.bill_kind = arrived.bill_kind
        group by all_loads.source, all_loads.billing_period, all_loads.bill_kind
    ) as delivered
),

final as (
    select all_loads.*
    from all_loads
    inner join kinds
        on
            all_loads.source = kinds.source
            and all_loads.billing_period = kinds.billing_period
            and all_loads.bill_kind = kinds.bill_kind
    where kinds.preference = 1
)

select * from final
