with raw_lines as (
    select * from {{ source('raw', 'lakehouse_costs') }}
    where {{ slice_filter() }}
),

renamed as (
    select
        ---------- where the row comes from
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,

        ---------- whose it is
        writer,
        writer_source,
        writer_delivery_id,
        load_id as writer_load_id,
        receipt_digest as writer_receipt_digest,
        bill_state,
        invoice_ids,

        ---------- what it cost
        cast(usage_date as date) as usage_date,
        provider,
        payer_account_id,
        account_id,
        service,
        region,
        currency_code,
        billed_cost,
        effective_cost,
        cast(line_item_count as bigint) as line_item_count,

        ---------- labels: daily costs have none
        case when false then other end as tags,

        ---------- what the loader found odd about the row
        findings
    from raw_lines
)

select * from renamed
