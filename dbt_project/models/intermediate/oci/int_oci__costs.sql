-- One row a delivered row, in the columns of FOCUS and with every metric valued: the only place where OCI's cost rules stand. Each
-- value is exact; everything downstream only adds. Attributed costs are shares of other rows' costs and never added.
with line_items as (
    select * from {{ ref('stg_oci__line_items') }}
),

slices as (
    select * from {{ ref('int_costs__slices') }}
),

corrections as (
    select * from {{ ref('int_oci__corrections') }}
),

currencies as (
    select * from {{ ref('int_oci__currencies') }}
),

classified as (
    select
        line_items.*,
        slices.delivery_id as slice_delivery_id,
        -- Where money is, a currency is never guessed.
        {{ oci_currency('line_items.currency_code', 'line_items.cost', 'line_items.cost_overage', 'currencies.currency_code') }}
            as line_currency,
        corrections.reference_no is not null
        and coalesce(line_items.corrected_reference_no <> line_items.reference_no, true)
        and {{ corrections_replace('line_items.source') }} as is_voided,
        line_items.is_correction and coalesce(mentioned.corrected_line_item_count, 0) = 0 as corrects_nothing_here
    from line_items
    left join slices
        on
            line_items.source = slices.source
            and line_items.billing_period = slices.billing_period
    left join corrections
        on
            line_items.source = corrections.source
            and line_items.billing_period = corrections.billing_period
            and line_items.tenant_id = corrections.tenant_id
            and line_items.reference_no = corrections.reference_no
    left join corrections as mentioned
        on
            line_items.source = mentioned.source
            and line_items.billing_period = mentioned.billing_period
            and line_items.tenant_id = mentioned.tenant_id
            and line_items.corrected_reference_no = mentioned.reference_no
    left join currencies
        on
            line_items.source = currencies.source
            and line_items.billing_period = currencies.billing_period
            and coalesce(line_items.tenant_id, '') = coalesce(currencies.tenant_id, '')
            and coalesce(line_items.subscription_id, '') = coalesce(currencies.subscription_id, '')
),

valued as (
    select
        classified.*,
        case when is_voided then 0 else coalesce(cost, 0) end as line_cost,
        -- What costs something without a quantity is one unit.
        case
            when is_voided then 0
            when billed_quantity <> 0 or coalesce(cost, 0) = 0 then coalesce(billed_quantity, 0)
            else 1
        end as line_pricing_quantity
    from classified
),

final as (
    select
        ---------- where the line comes from
        source,
        billing_period,
        slice_delivery_id as delivery_id,
        file_name,
        row_number,
        'oci' as x_bill_kind,
        'oci' as x_provider,

        ---------- who bills whom
        'Oracle' as provider_name,
        'Oracle' as publisher_name,
        'Oracle' as invoice_issuer_name,
        cast(null as varchar) as invoice_id,
        coalesce(subscription_id, tenant_id) as billing_account_id,
        cast(null as varchar) as billing_account_name,
        case when subscription_id is not null then 'Subscription' else 'Tenancy' end as billing_account_type,
        tenant_id as sub_account_id,
        cast(null as varchar) as sub_account_name,
        case when tenant_id is not null then 'Tenancy' end as sub_account_type,

        ---------- the charge
        cast(billing_period as timestamp(6)) as billing_period_start,
        cast(cast(billing_period + interval '1' month as date) as timestamp(6)) as billing_period_end,
        usage_start as charge_period_start,
        usage_end as charge_period_end,
        'Usage' as charge_category,
        case when is_correction then 'Correction' end as charge_class,
        'Usage-Based' as charge_frequency,
        product_description as charge_description,
        'Standard' as pricing_category,
        cast(null as varchar) as commitment_discount_id,
        cast(null as varchar) as commitment_discount_category,
        cast(null as varchar) as commitment_discount_type,
        cast(null as varchar) as commitment_discount_status,
        cast(null as varchar) as commitment_discount_name,
        cast(null as decimal(38, 20)) as commitment_discount_quantity,
        cast(null as varchar) as commitment_discount_unit,
        cast(null as varchar) as capacity_reservation_id,
        cast(null as varchar) as capacity_reservation_status,

        ---------- what was used
        -- The reports do not know FOCUS's category of a service: `focus_service_categories` does, where FOCUS is written.
        cast(null as varchar) as service_category,
        cast(null as varchar) as service_subcategory,
        service as service_name,
        product_sku as sku_id,
        product_description as sku_meter,
        product_sku as sku_price_id,
        cast(null as varchar) as sku_price_details,
        region as region_id,
        region as region_name,
        availability_domain as availability_zone,
        resource_id,
        cast(null as varchar) as resource_name,
        case
            when resource_id is null then null
            when resource_id like 'ocid1.%' then coalesce(nullif(split_part(resource_id, '.', 2), ''), 'resource')
            else coalesce(lower(service), 'resource')
        end as resource_type,
        unit as consumed_unit,
        line_currency as billing_currency,
        {{ map_to_text('tags') }} as tags,
        line_currency as pricing_currency,

        ---------- what FOCUS has no place for
        cast(usage_start as date) as x_usage_date,
        cast(null as date) as x_usage_end_date,
        cast(null as boolean) as x_is_period_charge,
        case when is_correction then 'Correction' else 'Usage' end as x_line_item_type,
        cast(null as varchar) as x_service_code,
        cast(null as varchar) as x_product_name,
        cast(null as varchar) as x_product_family,
        cast(null as varchar) as x_instance_type,
        cast(null as varchar) as x_operation,
        cast(null as varchar) as x_bill_type,
        cast(null as varchar) as x_billing_entity,
        cast(null as varchar) as x_legal_entity,
        cast(null as varchar) as x_purchase_option,
        cast(null as varchar) as x_cost_categories,
        subscription_id as x_subscription_id,
        compartment_id as x_compartment_id,
        compartment_name as x_compartment_name,
        cast(null as varchar) as x_writer,
        cast(null as varchar) as x_writer_source,
        cast(1 as bigint) as x_line_item_count,
        is_overage as x_is_overage,
        is_correction as x_is_correction,
        is_voided as x_is_voided,
        false as x_is_container_share,
        case
            when is_voided then 'voided_by_correction'
            when is_correction then 'correction'
            else 'as_reported'
        end as x_cost_rule,
        cast(null as varchar) as x_exclusion,
        {{ findings([
            ('line_currency is null', "'no currency'", none),
            ('corrects_nothing_here', "'correction of a row that is not in the bill'", none),
            ('is_voided', "'replaced by a correction'", none),
        ]) }} as x_findings,
        findings as x_delivery_findings,

        ---------- money: list and negotiated prices are not in the reports
        coalesce(cost, 0) as x_delivered_cost,
        line_cost as billed_cost,
        line_cost as effective_cost,
        line_cost as list_cost,
        line_cost as contracted_cost,
        line_pricing_quantity as pricing_quantity,
        coalesce(unit, 'Units') as pricing_unit,
        {{ unit_price('line_cost', 'line_pricing_quantity', 'try_cast(unit_price as double)') }} as list_unit_price,
        {{ unit_price('line_cost', 'line_pricing_quantity', 'try_cast(unit_price as double)') }} as contracted_unit_price,
        {{ unit_price('line_cost', 'line_pricing_quantity', 'try_cast(unit_price as double)') }}
            as pricing_currency_list_unit_price,
        {{ unit_price('line_cost', 'line_pricing_quantity', 'try_cast(unit_price as double)') }}
            as pricing_currency_contracted_unit_price,
        line_cost as pricing_currency_effective_cost,
        cast(0 as decimal(38, 20)) as x_unused_commitment_cost,
        cast(null as decimal(38, 20)) as x_unused_commitment_quantity,
        case when is_voided then 0 else coalesce(cost_overage, 0) end as x_billed_cost_overage,
        case when is_voided then 0 else coalesce(billed_quantity, 0) end as consumed_quantity,
        case when is_voided then 0 else coalesce(billed_quantity_overage, 0) end as x_consumed_quantity_overage,
        {%- for column in cost_sums() if column not in [
            'billed_cost', 'effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity', 'x_billed_cost_overage',
            'x_consumed_quantity_overage',
        ] %}
        cast(0 as decimal(38, 20)) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from valued
)

select * from final
