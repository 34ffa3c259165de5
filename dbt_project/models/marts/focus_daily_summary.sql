-- depends_on: {{ ref('int_focus__reconciliation') }} (what does not tie to the raw rows is not published)
-- depends_on: {{ ref('int_focus__receipts_reconciliation') }}
with daily_summary as (
    select * from {{ ref('int_focus__daily_summary') }}
    where {{ slice_filter() }}
)

select
    focus_daily_summary_id,
    {%- for column in focus_daily_summary_grain() %}
    {{ column }},
    {%- endfor %}
    {%- for column in focus_daily_summary_sums() %}
    {{ column }},
    {%- endfor %}
    line_item_count
from daily_summary
