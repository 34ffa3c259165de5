-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
with all_costs as (
    {%- for kind, (account, service) in daily_costs_names().items() %}
    select
        source,
        x_provider as provider,
        billing_period,
        delivery_id,
        x_usage_date as usage_date,
        {{ account }} as account_id,
        {{ service }} as service,
        region_id as region,
        billing_currency as currency_code,
        billed_cost,
        effective_cost,
        line_item_count
    from {{ ref('int_costs__daily_summary') }}
    where x_bill_kind = '{{ kind }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{%- set grain = [
    'source', 'provider', 'billing_period', 'delivery_id', 'usage_date', 'account_id', 'service', 'region', 'currency_code',
] %}

summed as (
    select
        {%- for column in grain %}
        {{ column }},
        {%- endfor %}
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        cast(sum(line_item_count) as bigint) as line_item_count
    from all_costs
    group by {{ grain | join(', ') }}
)

select
    {{ row_key(grain) }} as daily_costs_id,
    *
from summed
