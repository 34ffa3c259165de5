-- Lines added up by day and dimensions. It is compared with the raw bill before any mart is built from it.
with line_items as (
    select * from {{ ref('int_aws__line_item_costs') }}
    where {{ slice_filter() }}
),

label_sets as (
    select * from {{ ref('int_aws__label_sets') }}
),

labelled as (
    select
        line_items.*,
        coalesce(tag_sets.labels, '{}') as tags,
        coalesce(tag_sets.collisions, 0) as tag_collisions,
        coalesce(category_sets.labels, '{}') as cost_categories
    from line_items
    left join label_sets as tag_sets on line_items.tags_text = tag_sets.label_text
    left join label_sets as category_sets on line_items.cost_categories_text = category_sets.label_text
),

summed as (
    select
        {%- for column in daily_summary_grain() %}
        {{ column }},
        {%- endfor %}
        {%- for column in daily_summary_sums() %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        cast(sum(tag_collisions) as bigint) as tag_collisions,
        count(distinct nullif(resource_id, '')) as resource_count,
        count(*) as line_item_count
    from labelled
    group by
        {%- for column in daily_summary_grain() %}
        {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
)

select
    {{ row_key(daily_summary_grain()) }} as aws_daily_summary_id,
    *
from summed
