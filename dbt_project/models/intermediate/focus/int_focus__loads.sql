-- The accepted loads of each month that FOCUS stands for. Where a source's month has line items of a CUR or of OCI's cost
-- reports, these are the bill: FOCUS says the same once more there.
{{ increment_loads('raw.focus', ref('stg_focus__line_items')) }},

other_bills as (
    select
        source,
        billing_period
    from {{ ref('int_aws__slices') }}
    where {{ slice_filter() }}
    union all
    select
        source,
        billing_period
    from {{ ref('int_oci__slices') }}
    where
        {{ slice_filter() }}
        and line_item_count > 0
)

select final.*
from final
left join other_bills
    on
        final.source = other_bills.source
        and final.billing_period = other_bills.billing_period
where other_bills.source is null
