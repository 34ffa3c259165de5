-- depends_on: {{ ref('int_aws__reconciliation') }} (what does not tie to the raw bill is not published)
with daily_summary as (
    select * from {{ ref('int_aws__daily_summary') }}
    where {{ slice_filter() }}
)

select
    aws_daily_summary_id,
    {%- for column in daily_summary_grain() %}
    {{ column }},
    {%- endfor %}
    tag_collisions,
    {%- for column in daily_summary_sums() %}
    {{ column }},
    {%- endfor %}
    resource_count,
    line_item_count
from daily_summary
