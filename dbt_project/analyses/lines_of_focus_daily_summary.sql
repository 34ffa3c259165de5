{%- set sums = {} -%}
{%- for name in focus_daily_summary_sums() -%}{%- do sums.update({name: name}) -%}{%- endfor -%}
{{ lines_of_summary('focus', focus_daily_summary_grain(), sums) }}
