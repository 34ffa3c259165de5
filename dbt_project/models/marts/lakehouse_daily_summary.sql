-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw rows is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
with daily_summary as (
    select
        {%- for name, common in lakehouse_daily_summary_grain().items() %}
        {{ common }}{{ " as " ~ name if name != common }},
        {%- endfor %}
        billed_cost,
        effective_cost,
        line_item_count
    from {{ ref('int_costs__daily_summary') }}
    where x_bill_kind = 'lakehouse'
)

select
    {{ row_key(lakehouse_daily_summary_grain().keys()) }} as lakehouse_daily_summary_id,
    *
from daily_summary
