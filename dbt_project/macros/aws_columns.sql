{#- AWS's net columns: what a line costs after the payer's discounts. -#}
{% macro net_columns() -%}
    {{ return([
        'net_unblended_cost',
        'reservation_net_amortized_upfront_cost_for_usage',
        'reservation_net_amortized_upfront_fee_for_billing_period',
        'reservation_net_effective_cost',
        'reservation_net_recurring_fee_for_usage',
        'reservation_net_unused_amortized_upfront_fee_for_billing_period',
        'reservation_net_unused_recurring_fee',
        'reservation_net_upfront_value',
        'savings_plan_net_amortized_upfront_commitment_for_billing_period',
        'savings_plan_net_recurring_commitment_for_billing_period',
        'savings_plan_net_effective_cost',
        'split_line_item_net_split_cost',
        'split_line_item_net_unused_cost',
    ]) }}
{%- endmacro %}

{#- The grain of AWS's daily summary, and what each column is called in the common row: lines that differ in none are one row. -#}
{% macro aws_daily_summary_grain() -%}
    {{ return({
        'source': 'source', 'billing_period': 'billing_period', 'delivery_id': 'delivery_id', 'usage_date': 'x_usage_date',
        'usage_end_date': 'x_usage_end_date', 'is_period_charge': 'x_is_period_charge', 'usage_account_id': 'sub_account_id',
        'usage_account_name': 'sub_account_name', 'payer_account_id': 'billing_account_id',
        'product_code': 'x_service_code', 'product_name': 'x_product_name', 'product_family': 'x_product_family',
        'region': 'region_id', 'availability_zone': 'availability_zone', 'instance_type': 'x_instance_type',
        'operation': 'x_operation', 'usage_type': 'sku_meter', 'unit': 'consumed_unit', 'line_item_type': 'x_line_item_type',
        'invoice_id': 'invoice_id', 'bill_type': 'x_bill_type', 'billing_entity': 'x_billing_entity',
        'legal_entity': 'x_legal_entity', 'currency_code': 'billing_currency', 'purchase_option': 'x_purchase_option',
        'commitment_arn': 'commitment_discount_id', 'tags': 'tags', 'cost_categories': 'x_cost_categories',
    }) }}
{%- endmacro %}

{#- The amounts of AWS's daily summary, likewise. -#}
{% macro aws_daily_summary_sums() -%}
    {{ return({
        'usage_amount': 'consumed_quantity', 'normalized_usage_amount': 'x_normalized_usage_amount',
        'unblended_cost': 'billed_cost', 'blended_cost': 'x_blended_cost', 'amortized_cost': 'x_amortized_cost',
        'net_unblended_cost': 'x_net_unblended_cost', 'net_amortized_cost': 'effective_cost',
        'public_on_demand_cost': 'x_public_on_demand_cost', 'calculated_amortized_cost': 'x_calculated_amortized_cost',
        'split_cost': 'x_split_cost', 'unused_split_cost': 'x_unused_split_cost', 'net_split_cost': 'x_net_split_cost',
        'net_unused_split_cost': 'x_net_unused_split_cost', 'public_on_demand_split_cost': 'x_public_on_demand_split_cost',
        'public_on_demand_unused_split_cost': 'x_public_on_demand_unused_split_cost',
    }) }}
{%- endmacro %}

{#- Line item types known from AWS's documentation; others are passed through at their unblended cost, and reported. -#}
{% macro known_line_item_types() -%}
    {{ return([
        'Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'SavingsPlanNegation', 'SavingsPlanRecurringFee',
        'SavingsPlanUpfrontFee', 'RIFee', 'Fee', 'Tax', 'Credit', 'Refund', 'BundledDiscount', 'Discount',
        'EdpDiscount', 'PrivateRateDiscount', 'RiVolumeDiscount', 'FlatRateSubscription',
    ]) }}
{%- endmacro %}

{#- A list of texts for `in (...)`. -#}
{% macro quoted_list(texts) -%}
    '{{ texts | join("', '") }}'
{%- endmacro %}
