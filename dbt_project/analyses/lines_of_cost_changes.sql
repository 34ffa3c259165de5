-- The lines of the month as it is: they come to all changes of a row of the ledger together.
select
    {{ line_place() }},
    source,
    billing_period,
    x_usage_date as usage_date,
    case x_bill_kind
        {%- for kind, (account, service) in daily_costs_names().items() %}
        when '{{ kind }}' then {{ account }}
        {%- endfor %}
    end as account_id,
    case x_bill_kind
        {%- for kind, (account, service) in daily_costs_names().items() %}
        when '{{ kind }}' then {{ service }}
        {%- endfor %}
    end as service,
    x_line_item_type as line_item_type,
    billing_currency as currency_code,
    billed_cost,
    effective_cost,
    line_item_count
from ({{ explained_lines() }}) as lines
