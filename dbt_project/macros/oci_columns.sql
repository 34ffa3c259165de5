{#- The grain of OCI's daily summary, and what each column is called in the common row: rows that differ in none are one row. -#}
{% macro oci_daily_summary_grain() -%}
    {{ return({
        'source': 'source', 'billing_period': 'billing_period', 'delivery_id': 'delivery_id', 'usage_date': 'x_usage_date',
        'tenant_id': 'sub_account_id', 'subscription_id': 'x_subscription_id', 'compartment_id': 'x_compartment_id',
        'compartment_name': 'x_compartment_name', 'service': 'service_name', 'product_sku': 'sku_id',
        'product_description': 'sku_meter', 'region': 'region_id', 'availability_domain': 'availability_zone',
        'resource_id': 'resource_id', 'unit': 'consumed_unit', 'is_overage': 'x_is_overage',
        'is_correction': 'x_is_correction', 'currency_code': 'billing_currency', 'tags': 'tags',
    }) }}
{%- endmacro %}

{#- The amounts of OCI's daily summary, likewise. -#}
{% macro oci_daily_summary_sums() -%}
    {{ return({
        'billed_quantity': 'consumed_quantity', 'billed_quantity_overage': 'x_consumed_quantity_overage',
        'cost': 'billed_cost', 'cost_overage': 'x_billed_cost_overage',
    }) }}
{%- endmacro %}

{#- The currency of a row: its own, else `known` (its subscription's or tenancy's only one) where the row costs nothing. -#}
{% macro oci_currency(own, cost, cost_overage, known) -%}
    case
        when {{ own }} is not null then {{ own }}
        when coalesce({{ cost }}, 0) = 0 and coalesce({{ cost_overage }}, 0) = 0 then {{ known }}
    end
{%- endmacro %}

{#-
  Whether a source's corrections replace the rows that they refer to. Var `voiding_sources` names those sources; where it is
  empty, every correction is a further row.
-#}
{% macro corrections_replace(source_column='source') -%}
    {%- if var('voiding_sources', []) -%}
        {{ source_column }} in ({{ quoted_list(var('voiding_sources')) }})
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}
