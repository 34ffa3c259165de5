{#-
  The lines of the daily summary before they are added up: its dimensions and amounts, one row a raw line, with where the line
  stands in its file. Analyses called `lines_of_<mart>` name these columns as their mart does: the text and dates that they share
  with the mart are its key, the numbers are what a line adds to the row of that key. A key that the lines call otherwise is named
  `mart_<column>`. Without `labels` there are no tags, cost categories and collisions, and nothing is read for them.
-#}
{% macro explained_lines(labels=false) -%}
    {%- set of_labels = {'tags': 'tag_sets.labels', 'x_cost_categories': 'category_sets.labels'} %}
    {%- for kind in bill_kinds() %}
    select
        lines.file_name,
        lines.row_number,
        lines.charge_description as x_description,
        lines.x_service_code as x_code,
        lines.service_name as x_service,
        lines.x_cost_rule,
        lines.x_exclusion,
        lines.x_findings,
        lines.x_delivery_findings,
        lines.x_delivered_cost,
        {%- for column in cost_grain() if column not in of_labels %}
        {%- if column in columns_of_lines_alone()[kind] %}
        cast(null as varchar) as {{ column }},
        {%- else %}
        lines.{{ column }},
        {%- endif %}
        {%- endfor %}
        {%- if labels %}
        {%- for column, value in of_labels.items() %}
        coalesce({{ value }}, '{}') as {{ column }},
        {%- endfor %}
        coalesce(tag_sets.collisions, 0) as tag_collisions,
        {%- endif %}
        {%- for column in cost_sums() %}
        lines.{{ column }},
        {%- endfor %}
        case when lines.x_is_voided then 1 else 0 end as voided_line_item_count,
        lines.x_line_item_count as line_item_count
    from {{ ref('int_' ~ kind ~ '__costs') }} as lines
    {%- if labels %}
    left join {{ ref('int_costs__label_sets') }} as tag_sets
        on
            lines.tags = tag_sets.label_text
            and tag_sets.is_snake_case = {{ 'true' if kind == 'aws' else 'false' }}
    left join {{ ref('int_costs__label_sets') }} as category_sets
        on
            lines.x_cost_categories = category_sets.label_text
            and category_sets.is_snake_case = true
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Where a line stands, and what decided what it counts: in every analysis of lines. -#}
{% macro line_place() -%}
    file_name,
    row_number,
    x_usage_date as line_date,
    sub_account_id as line_account,
    coalesce(x_code, x_service) as line_service,
    x_line_item_type as line_type,
    x_description as line_description,
    x_cost_rule as line_rule,
    x_exclusion as line_exclusion,
    x_delivered_cost as line_delivered_cost
{%- endmacro %}

{#- The same of a summary that holds one kind of bill: its grain and amounts, each as column -> column of the common row. -#}
{% macro lines_of_summary(kind, grain, sums, counts=[]) -%}
    select
        {{ line_place() }},
        {%- for name, common in grain.items() %}
        {{ common }} as {{ name }},
        {%- endfor %}
        {%- for name, common in sums.items() %}
        {{ common }} as {{ name }},
        {%- endfor %}
        {%- for name in counts %}
        {{ name }},
        {%- endfor %}
        line_item_count
    from ({{ explained_lines(labels=true) }}) as lines
    where x_bill_kind = '{{ kind }}'
{%- endmacro %}
