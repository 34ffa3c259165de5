{#- What each kind of bill calls the account and the service in `daily_costs`; FOCUS leaves the sub account empty where a provider has none. -#}
{% macro daily_costs_names() -%}
    {{ return({
        'aws': ['sub_account_id', 'x_service_code'],
        'oci': ['sub_account_id', 'service_name'],
        'focus': ['coalesce(sub_account_id, billing_account_id)', 'service_name'],
        'lakehouse': ['sub_account_id', 'service_name'],
    }) }}
{%- endmacro %}

{#-
  What `commitment_costs` puts a commitment's lines into: column -> the amount that counts, and of which kinds of line. Fees that AWS
  does not spread, and refunds that are not of an upfront fee, cost on their own day.
-#}
{% macro commitment_costs_parts(billed='billed_cost', amortized='x_amortized_cost') -%}
    {{ return({
        'upfront_paid': [billed, ['Fee', 'SavingsPlanUpfrontFee']],
        'recurring_paid': [billed, ['RIFee', 'SavingsPlanRecurringFee']],
        'refunded': [billed, ['Refund']],
        'used_cost': [amortized, ['DiscountedUsage', 'SavingsPlanCoveredUsage']],
        'unused_cost': [amortized, ['RIFee', 'SavingsPlanRecurringFee']],
        'unspread_cost': [amortized, ['Fee', 'SavingsPlanUpfrontFee', 'Refund']],
    }) }}
{%- endmacro %}

{#- The kinds of line that belong to commitments. -#}
{% macro commitment_line_item_types() -%}
    {{ return([
        'Fee', 'RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee', 'Refund', 'DiscountedUsage', 'SavingsPlanCoveredUsage',
    ]) }}
{%- endmacro %}

{#- The grain of the daily summary of other lakehouses' costs, and what each column is called in the common row. -#}
{% macro lakehouse_daily_summary_grain() -%}
    {{ return({
        'source': 'source', 'billing_period': 'billing_period', 'delivery_id': 'delivery_id', 'usage_date': 'x_usage_date',
        'provider': 'x_provider', 'writer': 'x_writer', 'writer_source': 'x_writer_source',
        'payer_account_id': 'billing_account_id', 'account_id': 'sub_account_id', 'service': 'service_name',
        'region': 'region_id', 'invoice_id': 'invoice_id', 'currency_code': 'billing_currency',
    }) }}
{%- endmacro %}
