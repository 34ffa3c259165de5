{#- The grain of OCI's daily summary: lines that differ in none of these are one row. -#}
{% macro oci_daily_summary_grain() -%}
    {{ return([
        'source', 'billing_period', 'delivery_id', 'usage_date', 'tenant_id', 'subscription_id', 'compartment_id',
        'compartment_name', 'service', 'product_sku', 'product_description', 'region', 'availability_domain',
        'resource_id', 'unit', 'is_overage', 'is_correction', 'currency_code', 'tags',
    ]) }}
{%- endmacro %}

{#- The exact sums of OCI's daily summary: each is valued once per line and then only added. -#}
{% macro oci_daily_summary_sums() -%}
    {{ return(['billed_quantity', 'billed_quantity_overage', 'cost', 'cost_overage']) }}
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
