-- A line is behind a row for each of its tags; days are no sum of lines, and are left out.
with tagged as (
    select
        *,
        {{ json_to_map('tags') }} as tag_map
    from ({{ explained_lines(labels=true) }}) as lines
    where tags <> '{}'
),

entries as (
    select
        tagged.*,
        entry.entry_key as tag_key,
        entry.entry_value as tag_value
    from tagged
    {{ unnest_map('tagged.tag_map') }}
)

select
    {{ line_place() }},
    source,
    x_provider as provider,
    billing_period,
    case x_bill_kind
        {%- for kind, (account, _) in daily_costs_names().items() %}
        when '{{ kind }}' then {{ account }}
        {%- endfor %}
    end as account_id,
    tag_key,
    tag_value,
    line_item_count
from entries
