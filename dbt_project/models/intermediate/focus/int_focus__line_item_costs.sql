-- One row a delivered row of the slices that FOCUS stands for, with every metric valued: the only place where FOCUS's rules
-- stand. Each value is exact; everything downstream only adds.
with line_items as (
    select * from {{ ref('stg_focus__line_items') }}
),

slices as (
    select * from {{ ref('int_focus__slices') }}
),

final as (
    select
        ---------- where the row comes from
        line_items.source,
        line_items.billing_period,
        slices.delivery_id,
        line_items.file_name,
        line_items.row_number,

        ---------- dimensions
        -- Nothing is spread over days: what covers more than one is on its first.
        coalesce(cast(line_items.charge_period_start as date), line_items.billing_period) as usage_date,
        {{ focus_provider() }} as provider,
        line_items.billing_account_id,
        line_items.billing_account_name,
        line_items.sub_account_id,
        line_items.sub_account_name,
        line_items.service_category,
        line_items.service_name as service,
        line_items.region_id as region,
        line_items.charge_category,
        line_items.charge_class,
        line_items.pricing_category,
        line_items.commitment_discount_id,
        line_items.invoice_id,
        line_items.consumed_unit as unit,
        line_items.billing_currency as currency_code,
        {{ map_to_text('line_items.tags') }} as tags_text,

        ---------- metrics
        coalesce(line_items.billed_cost, 0) as billed_cost,
        coalesce(line_items.effective_cost, 0) as effective_cost,
        coalesce(line_items.list_cost, 0) as list_cost,
        coalesce(line_items.contracted_cost, 0) as contracted_cost,
        coalesce(line_items.consumed_quantity, 0) as consumed_quantity
    from line_items
    inner join slices
        on
            line_items.source = slices.source
            and line_items.billing_period = slices.billing_period
)

select * from final
