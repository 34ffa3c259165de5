-- Whether AWS spreads a reservation's fees over usage. It does not for Dedicated Hosts: their fees must not be zeroed.
with reserved_lines as (
    select * from {{ ref('stg_aws__line_items') }}
    where reservation_arn is not null
),

reservations as (
    select
        source,
        billing_period,
        reservation_arn,
        coalesce(bool_or(
            reservation_amortized_upfront_cost_for_usage <> 0
            or reservation_amortized_upfront_fee_for_billing_period <> 0
            or reservation_unused_amortized_upfront_fee_for_billing_period <> 0
            or (
                -- Without the column of its own, the upfront share is what the effective cost has beyond the recurring one.
                line_item_type = 'DiscountedUsage'
                and reservation_amortized_upfront_cost_for_usage is null
                and reservation_effective_cost <> coalesce(reservation_recurring_fee_for_usage, 0)
            )
        ), false)
        -- Returned at once: fee and refund cancel out in this very bill, and there is nothing to spread.
        or (
            coalesce(bool_or(line_item_type = 'Fee' and unblended_cost > 0), false)
            and coalesce(sum(unblended_cost) filter (where line_item_type in ('Fee', 'Refund')), 0) = 0
        ) as upfront_is_amortized,
        coalesce(bool_or(reservation_effective_cost <> 0 or reservation_unused_recurring_fee <> 0), false)
            as recurring_is_amortized,
        coalesce(bool_or(line_item_type = 'Fee' and unblended_cost > 0), false) as has_upfront_fee
    from reserved_lines
    group by source, billing_period, reservation_arn
)

select * from reservations
