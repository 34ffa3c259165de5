{#-
  Sets of tags as people compare them: keys as delivered, sorted; few sets serve many lines. `lines` is a staging model,
  `slices` a table of the slices whose lines are meant (none: all that are built).
-#}
{% macro label_sets(lines, slices=none) -%}
with line_items as (
    select * from {{ lines }}
    where
        {{ slice_filter() }}
        {%- if slices %}
        and (source, billing_period) in (select source, billing_period from {{ slices }})
        {%- endif %}
),

sets as (
    select distinct {{ map_to_text('tags') }} as label_text from line_items
),

maps as (
    select
        label_text,
        {{ json_to_map('label_text') }} as labels
    from sets
    where label_text <> '{}'
),

entries as (
    select
        maps.label_text,
        entry.entry_key as label_key,
        entry.entry_value as label_value
    from maps
    {{ unnest_map('maps.labels') }}
),

label_sets as (
    select
        label_text,
        {{ map_agg('label_key', 'label_value') }} as labels
    from entries
    where label_value <> ''
    group by label_text
),

final as (
    select
        label_text,
        {{ map_to_json('labels') }} as labels
    from label_sets
)
{%- endmacro %}
