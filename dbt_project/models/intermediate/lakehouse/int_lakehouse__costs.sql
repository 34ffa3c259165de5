-- One row a row of daily costs that another lakehouse pushed: its writer has valued it, so nothing is valued here.
{%- set nothing = [
    'publisher_name', 'invoice_issuer_name', 'billing_account_name', 'billing_account_type', 'sub_account_name', 'sub_account_type',
    'charge_class', 'charge_frequency', 'pricing_category', 'commitment_discount_id', 'commitment_discount_category',
    'commitment_discount_type', 'commitment_discount_status', 'commitment_discount_name', 'commitment_discount_unit',
    'capacity_reservation_id', 'capacity_reservation_status', 'service_category', 'service_subcategory', 'sku_id', 'sku_meter',
    'sku_price_id', 'sku_price_details', 'region_name', 'availability_zone', 'resource_id', 'resource_name', 'resource_type',
    'consumed_unit', 'pricing_unit', 'x_service_code', 'x_product_name', 'x_product_family', 'x_instance_type', 'x_operation',
    'x_bill_type', 'x_billing_entity', 'x_legal_entity', 'x_purchase_option', 'x_cost_categories', 'x_subscription_id',
    'x_compartment_id', 'x_compartment_name', 'x_exclusion',
] %}

with line_items as (
    select * from {{ ref('stg_lakehouse__line_items') }}
),

final as (
    select
        ---------- where the row comes from
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        'lakehouse' as x_bill_kind,
        provider as x_provider,
        writer as x_writer,
        writer_source as x_writer_source,
        line_item_count as x_line_item_count,

        ---------- who bills whom
        provider as provider_name,
        invoice_ids as invoice_id,
        payer_account_id as billing_account_id,
        account_id as sub_account_id,

        ---------- the charge
        cast(billing_period as timestamp(6)) as billing_period_start,
        cast(billing_period + interval '1' month as timestamp(6)) as billing_period_end,
        cast(usage_date as timestamp(6)) as charge_period_start,
        cast(usage_date + interval '1' day as timestamp(6)) as charge_period_end,
        'Usage' as charge_category,
        writer || ', ' || writer_source || ', receipt ' || writer_receipt_digest as charge_description,
        cast(null as decimal(38, 20)) as commitment_discount_quantity,

        ---------- what was used
        service as service_name,
        region as region_id,
        currency_code as billing_currency,
        currency_code as pricing_currency,
        {{ map_to_text('tags') }} as tags,
        {%- for column in nothing %}
        cast(null as varchar) as {{ column }},
        {%- endfor %}

        ---------- what FOCUS has no place for
        usage_date as x_usage_date,
        cast(null as date) as x_usage_end_date,
        cast(null as boolean) as x_is_period_charge,
        provider as x_line_item_type,
        false as x_is_overage,
        coalesce(bill_state = 'corrected', false) as x_is_correction,
        false as x_is_voided,
        false as x_is_container_share,
        'as_reported' as x_cost_rule,
        {{ findings([('currency_code is null', "'no currency'", none)]) }} as x_findings,
        findings as x_delivery_findings,

        ---------- money
        coalesce(billed_cost, 0) as x_delivered_cost,
        coalesce(billed_cost, 0) as billed_cost,
        coalesce(effective_cost, 0) as effective_cost,
        coalesce(billed_cost, 0) as list_cost,
        coalesce(billed_cost, 0) as contracted_cost,
        coalesce(effective_cost, 0) as pricing_currency_effective_cost,
        cast(null as decimal(38, 20)) as pricing_quantity,
        cast(null as double) as list_unit_price,
        cast(null as double) as contracted_unit_price,
        cast(null as double) as pricing_currency_list_unit_price,
        cast(null as double) as pricing_currency_contracted_unit_price,
        cast(0 as decimal(38, 20)) as x_unused_commitment_cost,
        cast(null as decimal(38, 20)) as x_unused_commitment_quantity,
        {%- for column in cost_sums() if column not in ['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost'] %}
        cast(0 as decimal(38, 20)) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from line_items
)

select * from final
