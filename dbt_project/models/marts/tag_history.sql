-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
-- Which values a tag had, and on which days: of the bill's accounts, since the summaries keep no resources.
with tagged as (
    {%- for kind, (account, _) in daily_costs_names().items() %}
    select
        source,
        x_provider as provider,
        billing_period,
        delivery_id,
        x_usage_date as usage_date,
        {{ account }} as account_id,
        tags,
        sum(line_item_count) as line_item_count
    from {{ ref('int_costs__daily_summary') }}
    where
        x_bill_kind = '{{ kind }}'
        and tags <> '{}'
    group by 1, 2, 3, 4, 5, 6, 7
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

tag_maps as (
    select
        *,
        {{ json_to_map('tags') }} as tag_map
    from tagged
),

entries as (
    select
        tag_maps.*,
        entry.entry_key as tag_key,
        entry.entry_value as tag_value
    from tag_maps
    {{ unnest_map('tag_maps.tag_map') }}
),

{%- set grain = ['source', 'provider', 'billing_period', 'delivery_id', 'account_id', 'tag_key', 'tag_value'] %}

held as (
    select
        {%- for column in grain %}
        {{ column }},
        {%- endfor %}
        min(usage_date) as first_day,
        max(usage_date) as last_day,
        cast({{ count_different('usage_date') }} as bigint) as day_count,
        cast(sum(line_item_count) as bigint) as line_item_count
    from entries
    group by {{ grain | join(', ') }}
)

select
    {{ row_key(grain) }} as tag_history_id,
    *
from held
