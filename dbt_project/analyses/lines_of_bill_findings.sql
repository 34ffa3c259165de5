{{ config(meta={'by_line': false}) }}
-- What a finding counts is not always what the line costs: an exclusion counts what was delivered, a net difference what is between
-- two prices of it.
{%- set row_of_summary = row_key((cost_grain().keys() | list) + ['tags', 'x_cost_categories']) -%}
-- Each kind of finding reads the lines by itself: what it does not need is not worked out, and a kind that nobody asks for not at all.
with exclusions as (
    select
        {{ line_place() }},
        source,
        billing_period,
        'exclusion' as kind,
        x_exclusion as reason,
        cast(null as varchar) as detail,
        x_line_item_type as line_item_type,
        invoice_id,
        billing_currency as currency_code,
        x_delivered_cost as amount,
        line_item_count
    from ({{ explained_lines() }}) as lines
    where x_exclusion is not null
),

named as (
    select
        lines.*,
        split_part(finding.words, chr(31), 1) as reason,
        case when strpos(finding.words, chr(31)) > 0 then nullif(split_part(finding.words, chr(31), 2), '') end as detail
    from (select * from ({{ explained_lines() }}) as every_line where x_findings <> '') as lines
    cross join unnest({{ split_text('lines.x_findings', 'chr(30)') }}) as finding (words)
),

anomalies as (
    select
        {{ line_place() }},
        source,
        billing_period,
        'anomaly' as kind,
        reason,
        detail,
        case when reason <> 'mandatory column is missing' then x_line_item_type end as line_item_type,
        case when reason <> 'mandatory column is missing' then invoice_id end as invoice_id,
        billing_currency as currency_code,
        x_delivered_cost as amount,
        line_item_count
    from named
),

delivered as (
    select
        lines.*,
        entry.entry_key as reason,
        entry.entry_value as detail
    from (select * from ({{ explained_lines() }}) as every_line where x_delivery_findings is not null) as lines
    {{ unnest_map('lines.x_delivery_findings') }}
),

delivery_findings as (
    select
        {{ line_place() }},
        source,
        billing_period,
        'anomaly' as kind,
        reason,
        detail,
        x_line_item_type as line_item_type,
        invoice_id,
        billing_currency as currency_code,
        x_delivered_cost as amount,
        line_item_count
    from delivered
),

-- Rows of the daily summary are what a collision is found in: all lines of such a row count.
tag_collisions as (
    select
        {{ line_place() }},
        source,
        billing_period,
        'anomaly' as kind,
        'tag keys that become one' as reason,
        min(tags) over (partition by source, billing_period, delivery_id, billing_currency) as detail,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
        billing_currency as currency_code,
        billed_cost as amount,
        tag_collisions as line_item_count
    from ({{ explained_lines(labels=true) }}) as lines
    where
        {{ row_of_summary }} in (
            select {{ row_of_summary }}
            from ({{ explained_lines(labels=true) }}) as collided
            where tag_collisions > 0
        )
),

net_differences as (
    select
        {{ line_place() }},
        source,
        billing_period,
        'anomaly' as kind,
        'net and unblended cost differ' as reason,
        cast(null as varchar) as detail,
        cast(null as varchar) as line_item_type,
        invoice_id,
        billing_currency as currency_code,
        x_net_unblended_cost - billed_cost as amount,
        line_item_count
    from ({{ explained_lines() }}) as lines
    where x_bill_kind = 'aws'
)

select * from exclusions
union all
select * from anomalies
union all
select * from delivery_findings
union all
select * from tag_collisions
union all
select * from net_differences
