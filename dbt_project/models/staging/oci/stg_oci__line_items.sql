with raw_lines as (
    select * from {{ source('raw', 'oci_cost') }}
    where {{ slice_filter() }}
),

renamed as (
    select
        ---------- where the line comes from
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,

        ---------- the line
        line_item_reference_no as reference_no,
        coalesce(lower(line_item_is_correction) = 'true', false) as is_correction,
        line_item_backreference_no as corrected_reference_no,
        line_item_tenant_id as tenant_id,
        cost_subscription_id as subscription_id,
        line_item_interval_usage_start as usage_start,
        line_item_interval_usage_end as usage_end,

        ---------- what was used
        product_service as service,
        product_compartment_id as compartment_id,
        product_compartment_name as compartment_name,
        product_region as region,
        product_availability_domain as availability_domain,
        product_resource_id as resource_id,
        cost_product_sku as product_sku,
        product_description,
        coalesce(cost_sku_unit_description, cost_billing_unit_readable) as unit,

        ---------- what it costs
        cost_currency_code as currency_code,
        coalesce(lower(cost_overage_flag) in ('y', 'true'), false) as is_overage,
        cost_unit_price as unit_price,
        usage_billed_quantity as billed_quantity,
        usage_billed_quantity_overage as billed_quantity_overage,
        cost_my_cost as cost,
        cost_my_cost_overage as cost_overage,

        ---------- labels
        tags,

        ---------- what the loader found odd about the row
        findings
    from raw_lines
)

select * from renamed
