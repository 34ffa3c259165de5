-- Tags and cost categories as people compare them. Few sets of labels serve many lines, and few keys serve many sets.
with line_items as (
    select * from {{ ref('stg_aws__line_items') }}
    where {{ slice_filter() }}
),

sets as (
    select {{ map_to_text('resource_tags') }} as label_text from line_items
    union
    select {{ map_to_text('cost_categories') }} as label_text from line_items
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
        entry.entry_key as raw_key,
        entry.entry_value as label_value
    from maps
    {{ unnest_map('maps.labels') }}
),

raw_keys as (
    select distinct raw_key from entries
),

label_keys as (
    select
        raw_key,
        coalesce(nullif({{ snake_case('raw_key') }}, ''), raw_key) as label_key
    from raw_keys
),

-- Two raw keys may come to the same key: the first by raw key is shown, the others are counted.
ranked as (
    select
        entries.label_text,
        label_keys.label_key,
        entries.label_value,
        row_number() over (
            partition by entries.label_text, label_keys.label_key
            order by entries.raw_key
        ) as place,
        first_value(entries.label_value) over (
            partition by entries.label_text, label_keys.label_key
            order by entries.raw_key
        ) as shown_value
    from entries
    inner join label_keys on entries.raw_key = label_keys.raw_key
    where entries.label_value <> ''
),

collisions as (
    select
        label_text,
        count_if(label_value <> shown_value) as collisions
    from ranked
    group by label_text
),

label_sets as (
    select
        label_text,
        {{ map_agg('label_key', 'label_value') }} as labels
    from ranked
    where place = 1
    group by label_text
),

final as (
    select
        label_sets.label_text,
        {{ map_to_json('label_sets.labels') }} as labels,
        cast(collisions.collisions as bigint) as collisions
    from label_sets
    inner join collisions on label_sets.label_text = collisions.label_text
)

select * from final
