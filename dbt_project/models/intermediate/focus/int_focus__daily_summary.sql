-- Rows added up by day and dimensions. It is compared with the raw rows before any mart is built from it.
with line_items as (
    select * from {{ ref('int_focus__line_item_costs') }}
    where {{ slice_filter() }}
),

label_sets as (
    select * from {{ ref('int_focus__label_sets') }}
),

labelled as (
    select
        line_items.*,
        coalesce(label_sets.labels, '{}') as tags
    from line_items
    left join label_sets on line_items.tags_text = label_sets.label_text
),

summed as (
    select
        {%- for column in focus_daily_summary_grain() %}
        {{ column }},
        {%- endfor %}
        {%- for column in focus_daily_summary_sums() %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        count(*) as line_item_count
    from labelled
    group by
        {%- for column in focus_daily_summary_grain() %}
        {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
)

select
    {{ row_key(focus_daily_summary_grain()) }} as focus_daily_summary_id,
    *
from summed
