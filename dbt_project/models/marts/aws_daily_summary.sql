-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
with daily_summary as (
    select
        {%- for name, common in aws_daily_summary_grain().items() %}
        {{ common }}{{ " as " ~ name if name != common }},
        {%- endfor %}
        tag_collisions,
        {%- for name, common in aws_daily_summary_sums().items() %}
        {{ common }}{{ " as " ~ name if name != common }},
        {%- endfor %}
        resource_count,
        line_item_count
    from {{ ref('int_costs__daily_summary') }}
    where x_bill_kind = 'aws'
)

select
    {{ row_key(aws_daily_summary_grain().keys()) }} as aws_daily_summary_id,
    *
from daily_summary
