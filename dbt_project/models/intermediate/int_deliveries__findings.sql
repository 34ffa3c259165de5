-- What the loader found odd about rows as they were delivered (a billing period in a local time, tags that are none): counted
-- with its cost and one example, whatever the provider. Few rows have any, and only those are looked at.
with aws as (
    select
        source,
        billing_period,
        delivery_id,
        line_item_type,
        invoice_id,
        currency_code,
        unblended_cost as amount,
        file_name,
        row_number,
        findings
    from {{ ref('stg_aws__line_items') }}
    where
        {{ slice_filter() }}
        and findings is not null
),

oci as (
    select
        lines.source,
        lines.billing_period,
        slices.delivery_id,
        case when lines.is_correction then 'Correction' else 'Usage' end as line_item_type,
        cast(null as varchar) as invoice_id,
        lines.currency_code,
        lines.cost as amount,
        lines.file_name,
        lines.row_number,
        lines.findings
    from {{ ref('stg_oci__line_items') }} as lines
    inner join {{ ref('int_oci__slices') }} as slices
        on
            lines.source = slices.source
            and lines.billing_period = slices.billing_period
    where
        {{ slice_filter('lines') }}
        and lines.findings is not null
),

focus as (
    select
        lines.source,
        lines.billing_period,
        slices.delivery_id,
        lines.charge_category as line_item_type,
        lines.invoice_id,
        lines.billing_currency as currency_code,
        lines.billed_cost as amount,
        lines.file_name,
        lines.row_number,
        lines.findings
    from {{ ref('stg_focus__line_items') }} as lines
    inner join {{ ref('int_focus__slices') }} as slices
        on
            lines.source = slices.source
            and lines.billing_period = slices.billing_period
    where
        {{ slice_filter('lines') }}
        and lines.findings is not null
),

line_items as (
    select * from aws
    union all
    select * from oci
    union all
    select * from focus
),

found as (
    select
        line_items.source,
        line_items.billing_period,
        line_items.delivery_id,
        entry.entry_key as reason,
        entry.entry_value as detail,
        line_items.line_item_type,
        line_items.invoice_id,
        line_items.currency_code,
        line_items.amount,
        line_items.file_name,
        line_items.row_number
    from line_items
    {{ unnest_map('line_items.findings') }}
),

final as (
    select
        source,
        billing_period,
        delivery_id,
        reason,
        detail,
        line_item_type,
        invoice_id,
        currency_code,
        count(*) as line_item_count,
        coalesce(sum(amount), 0) as amount,
        min_by(file_name, file_name || lpad(cast(row_number as varchar), 12, '0')) as example_file_name,
        min_by(row_number, file_name || lpad(cast(row_number as varchar), 12, '0')) as example_row_number
    from found
    group by source, billing_period, delivery_id, reason, detail, line_item_type, invoice_id, currency_code
)

select * from final
