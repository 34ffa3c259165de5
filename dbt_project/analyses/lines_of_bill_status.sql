select
    {{ line_place() }},
    source,
    billing_period,
    billing_currency as currency_code,
    billed_cost,
    line_item_count
from ({{ explained_lines() }}) as lines
