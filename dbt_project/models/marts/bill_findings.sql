with exclusions as (
    select
        source,
        billing_period,
        delivery_id,
        'exclusion' as kind,
        reason,
        cast(null as varchar) as detail,
        line_item_type,
        invoice_id,
        currency_code,
        cast(1 as bigint) as line_item_count,
        unblended_cost as amount,
        file_name as example_file_name,
        row_number as example_row_number
    from {{ ref('int_aws__exclusions') }}
    where {{ slice_filter() }}
),

anomalies as (
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
        line_item_count,
        amount,
        example_file_name,
        example_row_number
    from {{ ref('int_aws__anomalies') }}
    where {{ slice_filter() }}
),

oci_anomalies as (
    select
        source,
        billing_period,
        delivery_id,
        'anomaly' as kind,
        reason,
        cast(null as varchar) as detail,
        line_item_type,
        cast(null as varchar) as invoice_id,
        currency_code,
        line_item_count,
        amount,
        example_file_name,
        example_row_number
    from {{ ref('int_oci__anomalies') }}
    where {{ slice_filter() }}
),

focus_anomalies as (
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
        line_item_count,
        amount,
        example_file_name,
        example_row_number
    from {{ ref('int_focus__anomalies') }}
    where {{ slice_filter() }}
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
        line_item_count,
        amount,
        example_file_name,
        example_row_number
    from {{ ref('int_deliveries__findings') }}
    where {{ slice_filter() }}
),

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

findings as (
    select * from exclusions
    union all
    select * from anomalies
    union all
    select * from oci_anomalies
    union all
    select * from focus_anomalies
    union all
    select * from delivery_findings
    union all
    select * from report_findings
)

select
    {{ row_key([
        'source', 'billing_period', 'delivery_id', 'kind', 'reason', 'detail', 'line_item_type', 'invoice_id',
        'currency_code', 'example_file_name', 'example_row_number',
    ]) }} as bill_findings_id,
    *
from findings
