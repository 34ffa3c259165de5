-- One row a delivered row of the months that FOCUS stands for, with every metric valued: the only place where rules for FOCUS's
-- own columns stand. Each value is exact; everything downstream only adds.
{%- set found = [
    ('billing_currency is null', "'no currency'", "'BillingCurrency'"),
    (
        'charge_category not in (' ~ quoted_list(focus_charge_categories()) ~ ')',
        "'unknown charge category'",
        none,
    ),
    (
        'charge_period_start < coalesce(billing_period_start, billing_period)'
        ~ ' or charge_period_start >= coalesce(billing_period_end, next_period)'
        ~ ' or charge_period_end > coalesce(billing_period_end, next_period)',
        "'charge outside the billing period'",
        none,
    ),
] %}
{%- for column, about in focus_mandatory_columns().items() %}
    {%- do found.append((
        column ~ ' is null' ~ (' and ' ~ about[1] if about[1]),
        "case when misses_" ~ column ~ " then 'mandatory column is missing' else 'mandatory column is empty' end",
        "'" ~ about[0] ~ "'",
    )) %}
{%- endfor %}

with line_items as (
    select * from {{ ref('stg_focus__line_items') }}
),

slices as (
    select * from {{ ref('int_costs__slices') }}
    where bill_kind = 'focus'
),

missing_columns as (
    select * from {{ ref('int_focus__missing_columns') }}
),

classified as (
    select
        line_items.*,
        slices.delivery_id as slice_delivery_id,
        cast(line_items.billing_period + interval '1' month as date) as next_period,
        {%- for column in focus_mandatory_columns() %}
        missing_columns.misses_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from line_items
    inner join slices
        on
            line_items.source = slices.source
            and line_items.billing_period = slices.billing_period
    left join missing_columns
        on
            line_items.source = missing_columns.source
            and line_items.billing_period = missing_columns.billing_period
),

final as (
    select
        ---------- where the row comes from
        source,
        billing_period,
        slice_delivery_id as delivery_id,
        file_name,
        row_number,
        'focus' as x_bill_kind,
        {{ focus_provider() }} as x_provider,

        ---------- who bills whom
        coalesce(provider_name, service_provider_name) as provider_name,
        publisher_name,
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
        service_subcategory,
        service_name,
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
        billing_currency,
        {{ map_to_text('tags') }} as tags,
        -- Before FOCUS 1.2 there is one currency.
        coalesce(pricing_currency, billing_currency) as pricing_currency,

        ---------- what FOCUS has no place for
        -- Nothing is spread over days: what covers more than one is on its first.
        coalesce(cast(charge_period_start as date), billing_period) as x_usage_date,
        cast(null as date) as x_usage_end_date,
        cast(null as boolean) as x_is_period_charge,
        charge_category as x_line_item_type,
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
        cast(null as varchar) as x_subscription_id,
        cast(null as varchar) as x_compartment_id,
        cast(null as varchar) as x_compartment_name,
        cast(null as varchar) as x_writer,
        cast(null as varchar) as x_writer_source,
        cast(1 as bigint) as x_line_item_count,
        false as x_is_overage,
        coalesce(charge_class = 'Correction', false) as x_is_correction,
        false as x_is_voided,
        false as x_is_container_share,
        'as_reported' as x_cost_rule,
        cast(null as varchar) as x_exclusion,
        {{ findings(found) }} as x_findings,
        findings as x_delivery_findings,

        ---------- money
        coalesce(billed_cost, 0) as x_delivered_cost,
        pricing_quantity,
        pricing_unit,
        try_cast(list_unit_price as double) as list_unit_price,
        try_cast(contracted_unit_price as double) as contracted_unit_price,
        case
            when pricing_currency is null then try_cast(list_unit_price as double)
            else try_cast(pricing_currency_list_unit_price as double)
        end as pricing_currency_list_unit_price,
        case
            when pricing_currency is null then try_cast(contracted_unit_price as double)
            else try_cast(pricing_currency_contracted_unit_price as double)
        end as pricing_currency_contracted_unit_price,
        case when pricing_currency is null then effective_cost else pricing_currency_effective_cost end
            as pricing_currency_effective_cost,
        cast(0 as decimal(38, 20)) as x_unused_commitment_cost,
        cast(null as decimal(38, 20)) as x_unused_commitment_quantity,
        {%- for column in ['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity'] %}
        coalesce({{ column }}, 0) as {{ column }},
        {%- endfor %}
        {%- for column in cost_sums() if column not in [
            'billed_cost', 'effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity',
        ] %}
        cast(0 as decimal(38, 20)) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from classified
)

select * from final
