{%- set sums = {'billed_cost': 'billed_cost', 'effective_cost': 'effective_cost'} -%}
{{ lines_of_summary('lakehouse', lakehouse_daily_summary_grain(), sums) }}
