-- One row a line item of the slices being built, with every metric valued: the only place where OCI's cost rules stand. Each
-- value is exact; everything downstream only adds. Attributed costs are shares of other rows' costs and never added.
with line_items as (
    select * from {{ ref('stg_oci__line_items') }}
),

slices as (
    select * from {{ ref('int_oci__slices') }}
),

corrections as (
    select * from {{ ref('int_oci__corrections') }}
),

currencies as (
    select * from {{ ref('int_oci__currencies') }}
),

judged as (
    select
        line_items.*,
        slices.delivery_id as slice_delivery_id,
        currencies.currency_code as only_currency_code,
        corrections.reference_no is not null
        and coalesce(line_items.corrected_reference_no <> line_items.reference_no, true) as is_corrected
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
    left join currencies
        on
            line_items.source = currencies.source
            and line_items.billing_period = currencies.billing_period
            and coalesce(line_items.tenant_id, '') = coalesce(currencies.tenant_id, '')
            and coalesce(line_items.subscription_id, '') = coalesce(currencies.subscription_id, '')
),

voided as (
    select
        *,
        is_corrected and {{ corrections_replace() }} as is_voided
    from judged
),

final as (
    select
        ---------- where the line comes from
        source,
        billing_period,
        slice_delivery_id as delivery_id,
        file_name,
        row_number,

        ---------- dimensions
        cast(usage_start as date) as usage_date,
        tenant_id,
        subscription_id,
        compartment_id,
        compartment_name,
        service,
        product_sku,
        product_description,
        region,
        availability_domain,
        resource_id,
        unit,
        is_overage,
        is_correction,
        corrected_reference_no,
        -- Where money is, a currency is never guessed.
        case
            when currency_code is not null then currency_code
            when coalesce(cost, 0) = 0 and coalesce(cost_overage, 0) = 0 then only_currency_code
        end as currency_code,
        {{ map_to_text('tags') }} as tags_text,

        ---------- metrics
        is_corrected,
        is_voided,
        coalesce(cost, 0) as delivered_cost,
        case when is_voided then 0 else coalesce(billed_quantity, 0) end as billed_quantity,
        case when is_voided then 0 else coalesce(billed_quantity_overage, 0) end as billed_quantity_overage,
        case when is_voided then 0 else coalesce(cost, 0) end as cost,
        case when is_voided then 0 else coalesce(cost_overage, 0) end as cost_overage
    from voided
)

select * from final
