-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
with committed as (
    select
        source,
        billing_period,
        delivery_id,
        x_purchase_option as purchase_option,
        commitment_discount_id as commitment_arn,
        billing_currency as currency_code,
        x_line_item_type as line_item_type,
        billed_cost as unblended_cost,
        x_amortized_cost as amortized_cost
    from {{ ref('int_costs__daily_summary') }}
    where
        x_bill_kind = 'aws'
        and commitment_discount_id is not null
        and x_line_item_type in (
            'Fee', 'RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee', 'Refund',
            'DiscountedUsage', 'SavingsPlanCoveredUsage'
        )
),

summed as (
    select
        source,
        billing_period,
        delivery_id,
        purchase_option as commitment_kind,
        commitment_arn,
        currency_code,
        coalesce(sum(unblended_cost) filter (where line_item_type in ('Fee', 'SavingsPlanUpfrontFee')), 0)
            as upfront_paid,
        coalesce(sum(unblended_cost) filter (where line_item_type in ('RIFee', 'SavingsPlanRecurringFee')), 0)
            as recurring_paid,
        coalesce(sum(unblended_cost) filter (where line_item_type = 'Refund'), 0) as refunded,
        coalesce(sum(amortized_cost) filter (
            where line_item_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage')
        ), 0) as used_cost,
        coalesce(sum(amortized_cost) filter (where line_item_type in ('RIFee', 'SavingsPlanRecurringFee')), 0)
            as unused_cost,
        -- Fees that AWS does not spread, and refunds that are not of an upfront fee: they cost on their own day.
        coalesce(sum(amortized_cost) filter (where line_item_type in ('Fee', 'SavingsPlanUpfrontFee', 'Refund')), 0)
            as unspread_cost
    from committed
    group by source, billing_period, delivery_id, purchase_option, commitment_arn, currency_code
),

final as (
    select
        source,
        billing_period,
        delivery_id,
        commitment_kind,
        commitment_arn,
        currency_code,
        upfront_paid,
        recurring_paid,
        refunded,
        upfront_paid + recurring_paid + refunded as paid,
        used_cost,
        unused_cost,
        unspread_cost,
        used_cost + unused_cost + unspread_cost as amortized_cost,
        upfront_paid + recurring_paid + refunded - (used_cost + unused_cost + unspread_cost) as difference
    from summed
)

select
    {{ row_key(['source', 'billing_period', 'delivery_id', 'commitment_kind', 'commitment_arn', 'currency_code']) }}
        as commitment_costs_id,
    *
from final
