with committed as (
    select
        {{ line_place() }},
        source,
        billing_period,
        x_purchase_option as commitment_kind,
        commitment_discount_id as commitment_arn,
        billing_currency as currency_code,
        {%- for column, (amount, kinds) in commitment_costs_parts().items() %}
        case when x_line_item_type in ({{ quoted_list(kinds) }}) then {{ amount }} else 0 end as {{ column }},
        {%- endfor %}
        x_bill_kind
    from ({{ explained_lines() }}) as lines
    where
        x_bill_kind = 'aws'
        and commitment_discount_id is not null
        and x_line_item_type in ({{ quoted_list(commitment_line_item_types()) }})
)

select
    committed.*,
    upfront_paid + recurring_paid + refunded as paid,
    used_cost + unused_cost + unspread_cost as amortized_cost,
    upfront_paid + recurring_paid + refunded - (used_cost + unused_cost + unspread_cost) as difference
from committed
