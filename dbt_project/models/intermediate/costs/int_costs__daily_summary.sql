-- Lines added up by day and dimensions, each kind of bill in one pass. It is compared with the raw bills before any mart is built
-- from it.
{%- set amounts = cost_sums() + ['x_excluded_cost'] %}
{%- set counts = [
    'tag_collisions', 'resource_count', 'voided_line_item_count', 'uninvoiced_line_item_count', 'line_item_count',
] %}

with label_sets as (
    select * from {{ ref('int_costs__label_sets') }}
),

{%- for kind in bill_kinds() %}

{{ kind }}_summed as (
    select
        {%- for column, kinds in cost_grain().items() %}
        {%- if kind in kinds %}
        lines.{{ column }},
        {%- elif column in columns_of_lines_alone()[kind] %}
        cast(null as varchar) as {{ column }},
        {%- else %}
        any_value(lines.{{ column }}) as {{ column }},
        {%- endif %}
        {%- endfor %}
        tag_sets.label_set_id as tag_set_id,
        category_sets.label_set_id as category_set_id,
        {%- for column in cost_sums() %}
        sum(lines.{{ column }}) as {{ column }},
        {%- endfor %}
        sum(lines.x_delivered_cost) - sum(lines.billed_cost) as x_excluded_cost,
        coalesce(sum(tag_sets.collisions), 0) as tag_collisions,
        {{ count_different("nullif(lines.resource_id, '')") if kind == 'aws' else 'cast(0 as bigint)' }} as resource_count,
        count(*) filter (where lines.x_is_voided) as voided_line_item_count,
        count(*) filter (where lines.invoice_id is null and lines.x_delivered_cost <> 0) as uninvoiced_line_item_count,
        {{ line_item_count(kind) }} as line_item_count
    from {{ ref('int_' ~ kind ~ '__costs') }} as lines
    left join label_sets as tag_sets
        on
            lines.tags = tag_sets.label_text
            and tag_sets.is_snake_case = {{ 'true' if kind == 'aws' else 'false' }}
    left join label_sets as category_sets
        on
            lines.x_cost_categories = category_sets.label_text
            and category_sets.is_snake_case = true
    group by
        {%- for column, kinds in cost_grain().items() if kind in kinds %}
        lines.{{ column }},
        {%- endfor %}
        tag_sets.label_set_id,
        category_sets.label_set_id
),
{%- endfor %}

summed as (
    {%- for kind in bill_kinds() %}
    select * from {{ kind }}_summed
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

label_texts as (
    select distinct
        label_set_id,
        labels
    from label_sets
),

final as (
    select
        {%- for column in cost_grain() %}
        summed.{{ column }},
        {%- endfor %}
        coalesce(tag_texts.labels, '{}') as tags,
        coalesce(category_texts.labels, '{}') as x_cost_categories,
        {%- for column in amounts %}
        summed.{{ column }},
        {%- endfor %}
        {%- for column in counts %}
        cast(summed.{{ column }} as bigint) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from summed
    left join label_texts as tag_texts on summed.tag_set_id = tag_texts.label_set_id
    left join label_texts as category_texts on summed.category_set_id = category_texts.label_set_id
)

select * from final
