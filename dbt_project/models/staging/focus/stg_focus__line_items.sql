with raw_lines as (
    select * from {{ source('raw', 'focus') }}
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

        ---------- who bills whom
        service_provider_name,
        provider_name,
        publisher_name,
        host_provider_name,
        invoice_issuer_name,
        invoice_id,
        billing_account_id,
        billing_account_name,
        sub_account_id,
        sub_account_name,

        ---------- the charge
        billing_period_start,
        billing_period_end,
        charge_period_start,
        charge_period_end,
        charge_category,
        charge_class,
        charge_frequency,
        charge_description,
        pricing_category,
        commitment_discount_id,
        commitment_discount_category,
        commitment_discount_type,
        commitment_discount_status,

        ---------- what was used
        service_category,
        service_name,
        sku_id,
        sku_meter,
        region_id,
        availability_zone,
        resource_id,
        consumed_unit,
        consumed_quantity,
        pricing_unit,
        pricing_quantity,

        ---------- what it costs
        billing_currency,
        billed_cost,
        effective_cost,
        list_cost,
        contracted_cost,

        ---------- labels
        tags,

        ---------- what the loader found odd about the row
        findings
    from raw_lines
)

select * from renamed
