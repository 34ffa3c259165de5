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

{#- The grain of the daily summary: lines that differ in none of these are one row. -#}
{% macro daily_summary_grain() -%}
    {{ return([
        'source', 'billing_period', 'delivery_id', 'usage_date', 'usage_end_date', 'is_period_charge',
        'usage_account_id', 'usage_account_name', 'payer_account_id',
        'product_code', 'product_name', 'product_family', 'region', 'availability_zone', 'instance_type',
        'operation', 'usage_type', 'unit', 'line_item_type', 'invoice_id', 'bill_type', 'billing_entity',
        'legal_entity', 'currency_code', 'purchase_option', 'commitment_arn', 'tags', 'cost_categories',
    ]) }}
{%- endmacro %}

{#- The daily summary's exact sums: each is valued once per line and then only added. -#}
{% macro daily_summary_sums() -%}
    {{ return([
        'usage_amount', 'normalized_usage_amount', 'unblended_cost', 'blended_cost', 'amortized_cost',
        'net_unblended_cost', 'net_amortized_cost', 'public_on_demand_cost', 'calculated_amortized_cost',
        'split_cost', 'unused_split_cost', 'net_split_cost', 'net_unused_split_cost',
        'public_on_demand_split_cost', 'public_on_demand_unused_split_cost',
    ]) }}
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
