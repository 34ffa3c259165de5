with raw_lines as (
    select * from {{ source('raw', 'aws_cur') }}
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

        ---------- the bill
        bill_bill_type as bill_type,
        bill_billing_entity as billing_entity,
        bill_billing_period_start_date as own_billing_period_start,
        bill_billing_period_end_date as own_billing_period_end,
        bill_invoice_id as invoice_id,
        bill_invoicing_entity as invoicing_entity,
        bill_payer_account_id as payer_account_id,
        bill_payer_account_name as payer_account_name,

        ---------- the line
        line_item_line_item_type as line_item_type,
        line_item_line_item_description as description,
        line_item_usage_start_date as usage_start,
        line_item_usage_end_date as usage_end,
        line_item_usage_account_id as usage_account_id,
        line_item_usage_account_name as usage_account_name,
        line_item_product_code as product_code,
        line_item_operation as operation,
        line_item_usage_type as usage_type,
        line_item_availability_zone as availability_zone,
        line_item_resource_id as resource_id,
        line_item_legal_entity as legal_entity,
        line_item_currency_code as currency_code,
        line_item_usage_amount as usage_amount,
        line_item_normalized_usage_amount as normalized_usage_amount,
        line_item_unblended_cost as unblended_cost,
        line_item_blended_cost as blended_cost,
        line_item_net_unblended_cost as net_unblended_cost,

        ---------- the product and its price
        product,
        product_product_family as product_family,
        product_sku,
        product_region_code as region_code,
        product_location as region_name,
        product_instance_type as instance_type,
        pricing_unit as unit,
        pricing_term,
        pricing_currency,
        pricing_rate_code,
        pricing_rate_id,
        pricing_public_on_demand_cost as public_on_demand_cost,

        ---------- reservations
        reservation_reservation_a_r_n as reservation_arn,
        reservation_amortized_upfront_cost_for_usage,
        reservation_amortized_upfront_fee_for_billing_period,
        reservation_effective_cost,
        reservation_total_reserved_units,
        reservation_unused_quantity,
        reservation_recurring_fee_for_usage,
        reservation_unused_amortized_upfront_fee_for_billing_period,
        reservation_unused_recurring_fee,
        reservation_net_amortized_upfront_cost_for_usage,
        reservation_net_amortized_upfront_fee_for_billing_period,
        reservation_net_effective_cost,
        reservation_net_recurring_fee_for_usage,
        reservation_net_unused_amortized_upfront_fee_for_billing_period,
        reservation_net_unused_recurring_fee,
        reservation_net_upfront_value,

        ---------- savings plans
        savings_plan_savings_plan_a_r_n as savings_plan_arn,
        savings_plan_amortized_upfront_commitment_for_billing_period,
        savings_plan_recurring_commitment_for_billing_period,
        savings_plan_savings_plan_effective_cost as savings_plan_effective_cost,
        savings_plan_total_commitment_to_date,
        savings_plan_used_commitment,
        savings_plan_net_amortized_upfront_commitment_for_billing_period,
        savings_plan_net_recurring_commitment_for_billing_period,
        savings_plan_net_savings_plan_effective_cost as savings_plan_net_effective_cost,

        ---------- capacity reservations
        capacity_reservation_capacity_reservation_arn as capacity_reservation_id,
        capacity_reservation_capacity_reservation_status as capacity_reservation_status,

        ---------- shares of an instance that containers used
        split_line_item_parent_resource_id as split_parent_resource_id,
        split_line_item_split_cost,
        split_line_item_unused_cost,
        split_line_item_net_split_cost,
        split_line_item_net_unused_cost,
        split_line_item_public_on_demand_split_cost,
        split_line_item_public_on_demand_unused_cost,

        ---------- labels
        resource_tags,
        cost_category as cost_categories,

        ---------- what the loader found odd about the row
        findings
    from raw_lines
)

select * from renamed
