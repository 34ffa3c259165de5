-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw reports is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
with daily_summary as (
    select
        {%- for name, common in oci_daily_summary_grain().items() %}
        {{ common }}{{ " as " ~ name if name != common }},
        {%- endfor %}
        {%- for name, common in oci_daily_summary_sums().items() %}
        {{ common }}{{ " as " ~ name if name != common }},
        {%- endfor %}
        line_item_count,
        voided_line_item_count
    from {{ ref('int_costs__daily_summary') }}
    where x_bill_kind = 'oci'
)

select
    {{ row_key(oci_daily_summary_grain().keys()) }} as oci_daily_summary_id,
    *
from daily_summary
