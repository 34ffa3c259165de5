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
        billing_account_type,
        sub_account_id,
        sub_account_name,
        sub_account_type,

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
        commitment_discount_name,
        commitment_discount_quantity,
        commitment_discount_unit,
        capacity_reservation_id,
        capacity_reservation_status,

        ---------- what was used
        service_category,
        service_name,
        service_subcategory,
        sku_id,
        sku_meter,
        sku_price_id,
        sku_price_details,
        region_id,
        region_name,
        availability_zone,
        resource_id,
        resource_name,
        resource_type,
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
        list_unit_price,
        contracted_unit_price,
        pricing_currency,
        pricing_currency_list_unit_price,
        pricing_currency_contracted_unit_price,
        pricing_currency_effective_cost,

        ---------- labels
        tags,

        ---------- what the loader found odd about the row
        findings
    from raw_lines
)

select * from renamed
