-- depends_on: {{ ref('int_oci__reconciliation') }} (what does not tie to the raw reports is not published)
-- depends_on: {{ ref('int_oci__receipts_reconciliation') }}
with daily_summary as (
    select * from {{ ref('int_oci__daily_summary') }}
    where {{ slice_filter() }}
)

select
    oci_daily_summary_id,
    {%- for column in oci_daily_summary_grain() %}
    {{ column }},
    {%- endfor %}
    {%- for column in oci_daily_summary_sums() %}
    {{ column }},
    {%- endfor %}
    line_item_count,
    voided_line_item_count
from daily_summary
