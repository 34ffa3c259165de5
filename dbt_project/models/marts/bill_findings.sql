{#- What the example of a finding is chosen by: the first line by file and record. -#}
{%- set place = "file_name || lpad(cast(row_number as varchar), 12, '0')" %}
-- What is left out of a bill, and what is odd about it without being wrong: counted with its cost and one example, never dropped.
with line_items as (
    select
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        invoice_id,
        billing_currency,
        x_line_item_type,
        x_exclusion,
        x_findings,
        x_delivery_findings,
        x_delivered_cost
    from {{ ref('int_costs__lines') }}
    where
        x_findings <> ''
        or x_exclusion is not null
        or x_delivery_findings is not null
),

exclusions as (
    select
        source,
        billing_period,
        delivery_id,
        'exclusion' as kind,
        x_exclusion as reason,
        cast(null as varchar) as detail,
        x_line_item_type as line_item_type,
        invoice_id,
        billing_currency as currency_code,
        cast(1 as bigint) as line_item_count,
        x_delivered_cost as amount,
        file_name as example_file_name,
        row_number as example_row_number
    from line_items
    where x_exclusion is not null
),

-- Few combinations of findings serve many lines.
grouped as (
    select
        source,
        billing_period,
        delivery_id,
        x_findings,
        x_line_item_type as line_item_type,
        invoice_id,
        billing_currency as currency_code,
        count(*) as line_item_count,
        sum(x_delivered_cost) as amount,
        min({{ place }}) as first_place
    from line_items
    where x_findings <> ''
    group by source, billing_period, delivery_id, x_findings, x_line_item_type, invoice_id, billing_currency
),

named as (
    select
        grouped.*,
        finding.words,
        split_part(finding.words, chr(31), 1) as reason,
        case when strpos(finding.words, chr(31)) > 0 then nullif(split_part(finding.words, chr(31), 2), '') end as detail
    from grouped
    cross join unnest({{ split_text('grouped.x_findings', 'chr(30)') }}) as finding (words)
),

-- Of a column that the whole bill lacks, kinds of charge and invoices tell nothing.
by_kind as (
    select
        source,
        billing_period,
        delivery_id,
        reason,
        detail,
        case when reason <> 'mandatory column is missing' then line_item_type end as line_item_type,
        case when reason <> 'mandatory column is missing' then invoice_id end as invoice_id,
        currency_code,
        line_item_count,
        amount,
        first_place
    from named
),

line_anomalies as (
    select
        source,
        billing_period,
        delivery_id,
        'anomaly' as kind,
        reason,
        detail,
        line_item_type,
        invoice_id,
        currency_code,
        sum(line_item_count) as line_item_count,
        sum(amount) as amount,
        substr(min(first_place), 1, length(min(first_place)) - 12) as example_file_name,
        cast(substr(min(first_place), -12) as bigint) as example_row_number
    from by_kind
    group by source, billing_period, delivery_id, reason, detail, line_item_type, invoice_id, currency_code
),

-- What the loader found odd about rows as they were delivered: a billing period in a local time, tags that are none.
delivered as (
    select
        line_items.source,
        line_items.billing_period,
        line_items.delivery_id,
        entry.entry_key as reason,
        entry.entry_value as detail,
        line_items.x_line_item_type as line_item_type,
        line_items.invoice_id,
        line_items.billing_currency as currency_code,
        line_items.x_delivered_cost as amount,
        line_items.file_name,
        line_items.row_number
    from line_items
    {{ unnest_map('line_items.x_delivery_findings') }}
    where line_items.x_delivery_findings is not null
),

delivery_findings as (
    select
        source,
        billing_period,
        delivery_id,
        'anomaly' as kind,
        reason,
        detail,
        line_item_type,
        invoice_id,
        currency_code,
        count(*) as line_item_count,
        sum(amount) as amount,
        substr(min({{ place }}), 1, length(min({{ place }})) - 12) as example_file_name,
        cast(substr(min({{ place }}), -12) as bigint) as example_row_number
    from delivered
    group by source, billing_period, delivery_id, reason, detail, line_item_type, invoice_id, currency_code
),

-- Objects that were taken without their rows: the report is another one's copy, or holds nothing.
report_loads as (
    select
        files.source,
        files.billing_period,
        files.delivery_id,
        files."key" as file_name,
        files.finding,
        files.finding_detail,
        row_number() over (
            partition by files.source, files.raw_table, files."key"
            order by receipts.loaded_at desc
        ) as nth_newest
    from {{ source('raw', 'files') }} as files
    inner join {{ source('raw', 'receipts') }} as receipts
        on
            files.source = receipts.source
            and files.billing_period = receipts.billing_period
            and files.load_id = receipts.load_id
    where receipts.state = 'accepted'
),

report_findings as (
    select
        source,
        billing_period,
        delivery_id,
        'anomaly' as kind,
        finding as reason,
        finding_detail as detail,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
        cast(null as varchar) as currency_code,
        cast(0 as bigint) as line_item_count,
        cast(0 as decimal(38, 20)) as amount,
        file_name as example_file_name,
        cast(null as bigint) as example_row_number
    from report_loads
    where
        {{ slice_filter() }}
        and nth_newest = 1
        and finding is not null
),

daily_summary as (
    select * from {{ ref('int_costs__daily_summary') }}
),

-- Two tag keys of one line came to the same key, and one value is not shown; the detail is an example.
tag_collisions as (
    select
        source,
        billing_period,
        delivery_id,
        'anomaly' as kind,
        'tag keys that become one' as reason,
        min(tags) as detail,
        cast(null as varchar) as line_item_type,
        cast(null as varchar) as invoice_id,
        billing_currency as currency_code,
        sum(tag_collisions) as line_item_count,
        sum(billed_cost) as amount,
        cast(null as varchar) as example_file_name,
        cast(null as bigint) as example_row_number
    from daily_summary
    where tag_collisions > 0
    group by source, billing_period, delivery_id, billing_currency
),

{%- if 'aws' in bill_kinds() %}

-- AWS's net prices hold the discounts that billed costs have on lines of their own: per invoice both come to the same bill.
net_differences as (
    select
        daily_summary.source,
        daily_summary.billing_period,
        daily_summary.delivery_id,
        'anomaly' as kind,
        'net and unblended cost differ' as reason,
        cast(null as varchar) as detail,
        cast(null as varchar) as line_item_type,
        daily_summary.invoice_id,
        daily_summary.billing_currency as currency_code,
        sum(daily_summary.line_item_count) as line_item_count,
        sum(daily_summary.x_net_unblended_cost - daily_summary.billed_cost) as amount,
        cast(null as varchar) as example_file_name,
        cast(null as bigint) as example_row_number
    from daily_summary
    inner join {{ ref('int_aws__slices') }} as slices
        on
            daily_summary.source = slices.source
            and daily_summary.billing_period = slices.billing_period
    where
        slices.net_is_active
        and daily_summary.x_bill_kind = 'aws'
    group by
        daily_summary.source,
        daily_summary.billing_period,
        daily_summary.delivery_id,
        daily_summary.invoice_id,
        daily_summary.billing_currency
    having abs(sum(daily_summary.x_net_unblended_cost - daily_summary.billed_cost)) >= 0.005
),
{%- endif %}

findings as (
    select * from exclusions
    union all
    select * from line_anomalies
    union all
    select * from delivery_findings
    union all
    select * from report_findings
    union all
    select * from tag_collisions
    {%- if 'aws' in bill_kinds() %}
    union all
    select * from net_differences
    {%- endif %}
),

final as (
    select
        source,
        billing_period,
        delivery_id,
        kind,
        reason,
        detail,
        line_item_type,
        invoice_id,
        currency_code,
        cast(line_item_count as bigint) as line_item_count,
        amount,
        example_file_name,
        example_row_number
    from findings
)

select
    {{ row_key([
        'source', 'billing_period', 'delivery_id', 'kind', 'reason', 'detail', 'line_item_type', 'invoice_id',
        'currency_code', 'example_file_name', 'example_row_number',
    ]) }} as bill_findings_id,
    *
from final
