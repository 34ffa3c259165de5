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
        and x_line_item_type in ({{ quoted_list(commitment_line_item_types()) }})
),

summed as (
    select
        source,
        billing_period,
        delivery_id,
        purchase_option as commitment_kind,
        commitment_arn,
        currency_code,
        {%- for column, (amount, kinds) in commitment_costs_parts('unblended_cost', 'amortized_cost').items() %}
        coalesce(sum({{ amount }}) filter (where line_item_type in ({{ quoted_list(kinds) }})), 0) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
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
