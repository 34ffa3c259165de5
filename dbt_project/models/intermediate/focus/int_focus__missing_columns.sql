-- Columns that FOCUS wants in every row and that a slice has no value of at all: kinds of charge tell nothing of these.
{%- set mandatory = focus_mandatory_columns() %}

with line_items as (
    select * from {{ ref('stg_focus__line_items') }}
),

final as (
    select
        source,
        billing_period,
        {%- for column, about in mandatory.items() %}
        coalesce(count({{ column }}){{ ' filter (where ' ~ about[1] ~ ')' if about[1] }} = 0, false) as misses_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from line_items
    group by source, billing_period
)

select * from final
