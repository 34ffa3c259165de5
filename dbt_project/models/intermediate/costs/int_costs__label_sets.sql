-- Tags and cost categories as people compare them. Few sets of labels serve many lines, and few keys serve many sets. AWS's keys
-- get AWS's snake form, so that its ways of delivery agree; others stay as delivered, with their namespaces and prefixes.
with sets as (
    {{ label_texts() }}
),

-- An empty set has no entries and falls out there: a condition on the text would make it twice a line.
maps as (
    select
        label_text,
        is_snake_case,
        {{ json_to_map('label_text') }} as labels
    from sets
),

entries as (
    select
        maps.label_text,
        maps.is_snake_case,
        entry.entry_key as raw_key,
        entry.entry_value as label_value
    from maps
    {{ unnest_map('maps.labels') }}
),

raw_keys as (
    select distinct
        raw_key,
        is_snake_case
    from entries
),

label_keys as (
    select
        raw_key,
        is_snake_case,
        case when is_snake_case then coalesce(nullif({{ snake_case('raw_key') }}, ''), raw_key) else raw_key end as label_key
    from raw_keys
),

-- Two raw keys may come to the same key: the first by raw key is shown, the others are counted.
ranked as (
    select
        entries.label_text,
        entries.is_snake_case,
        label_keys.label_key,
        entries.label_value,
        row_number() over (
            partition by entries.label_text, entries.is_snake_case, label_keys.label_key
            order by entries.raw_key
        ) as place,
        first_value(entries.label_value) over (
            partition by entries.label_text, entries.is_snake_case, label_keys.label_key
            order by entries.raw_key
        ) as shown_value
    from entries
    inner join label_keys
        on
            entries.raw_key = label_keys.raw_key
            and entries.is_snake_case = label_keys.is_snake_case
    where entries.label_value <> ''
),

collisions as (
    select
        label_text,
        is_snake_case,
        count_if(label_value <> shown_value) as collisions
    from ranked
    group by label_text, is_snake_case
),

label_maps as (
    select
        label_text,
        is_snake_case,
        {{ map_agg('label_key', 'label_value') }} as labels
    from ranked
    where place = 1
    group by label_text, is_snake_case
),

label_sets as (
    select
        label_maps.label_text,
        label_maps.is_snake_case,
        {{ map_to_json('label_maps.labels') }} as labels,
        cast(collisions.collisions as bigint) as collisions
    from label_maps
    inner join collisions
        on
            label_maps.label_text = collisions.label_text
            and label_maps.is_snake_case = collisions.is_snake_case
),

-- Different texts may be one set: lines are grouped by its number.
final as (
    select
        label_text,
        is_snake_case,
        dense_rank() over (order by labels) as label_set_id,
        labels,
        collisions
    from label_sets
)

select * from final
