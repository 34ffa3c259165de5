-- What a finding counts is not always what the line costs: an exclusion counts what was delivered, a net difference what is between
-- two prices of it.
with lines as (
    {{ explained_lines() }}
),

-- Rows of the daily summary are what a collision is found in: all lines of such a row count.
in_summary as (
    select
        lines.*,
        sum(tag_collisions) over (
            partition by {{ cost_grain().keys() | join(', ') }}, tags, x_cost_categories
        ) as collisions_of_row
    from lines
),

exclusions as (
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
    from in_summary
    where x_exclusion is not null
),

named as (
    select
        in_summary.*,
        split_part(finding.words, chr(31), 1) as reason,
        case when strpos(finding.words, chr(31)) > 0 then nullif(split_part(finding.words, chr(31), 2), '') end as detail
    from in_summary
    cross join unnest({{ split_text('in_summary.x_findings', 'chr(30)') }}) as finding (words)
    where in_summary.x_findings <> ''
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
        in_summary.*,
        entry.entry_key as reason,
        entry.entry_value as detail
    from in_summary
    {{ unnest_map('in_summary.x_delivery_findings') }}
    where in_summary.x_delivery_findings is not null
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
    from in_summary
    where collisions_of_row > 0
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
    from in_summary
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
