{#- The grain of FOCUS's daily summary, and what each column is called in the common row: rows that differ in none are one row. -#}
{% macro focus_daily_summary_grain() -%}
    {{ return({
        'source': 'source', 'billing_period': 'billing_period', 'delivery_id': 'delivery_id', 'usage_date': 'x_usage_date',
        'provider': 'x_provider', 'billing_account_id': 'billing_account_id', 'billing_account_name': 'billing_account_name',
        'sub_account_id': 'sub_account_id', 'sub_account_name': 'sub_account_name', 'service_category': 'service_category',
        'service': 'service_name', 'region': 'region_id', 'charge_category': 'charge_category',
        'charge_class': 'charge_class', 'pricing_category': 'pricing_category',
        'commitment_discount_id': 'commitment_discount_id', 'invoice_id': 'invoice_id', 'unit': 'consumed_unit',
        'currency_code': 'billing_currency', 'tags': 'tags',
    }) }}
{%- endmacro %}

{#- The amounts of FOCUS's daily summary. -#}
{% macro focus_daily_summary_sums() -%}
    {{ return(['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity']) }}
{%- endmacro %}

{#- FOCUS's charge categories; others are passed through at their billed cost, and reported. -#}
{% macro focus_charge_categories() -%}
    {{ return(['Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment']) }}
{%- endmacro %}

{#- How providers are called here, and how their names in FOCUS begin, in lower case. -#}
{% macro focus_providers() -%}
    {{ return({'aws': 'aws|amazon', 'azure': 'azure|microsoft', 'gcp': 'gcp|google', 'oci': 'oci|oracle'}) }}
{%- endmacro %}

{#-
  A row's provider: the first name that is there, newest versions' first. Known names may go on after a blank, comma or point
  (`Amazon Web Services, Inc.`); others are taken as they are, in lower case.
-#}
{% macro focus_provider() -%}
    {%- set name -%}
        lower(trim(coalesce(service_provider_name, provider_name, publisher_name, host_provider_name, 'unknown')))
    {%- endset -%}
    case
        {%- for provider, names in focus_providers().items() %}
        when {{ regexp_group(name, '^(' ~ names ~ ')([ ,.].*)?$', 1) }} is not null then '{{ provider }}'
        {%- endfor %}
        else {{ name }}
    end
{%- endmacro %}

{#-
  Columns that FOCUS 1.0 to 1.4 want in every row: staging column -> FOCUS's name, and the rows in which it has to have a value
  (none: all). Columns that may be null, or that are only there where a provider supports something, are not among them.
  `billing_currency` is looked at by itself.
-#}
{% macro focus_mandatory_columns() -%}
    {%- set priced = "charge_category in ('Usage', 'Purchase') and charge_class is distinct from 'Correction'" -%}
    {{ return({
        'billed_cost': ['BilledCost', none],
        'billing_account_id': ['BillingAccountId', none],
        'billing_period_end': ['BillingPeriodEnd', none],
        'billing_period_start': ['BillingPeriodStart', none],
        'charge_category': ['ChargeCategory', none],
        'charge_period_end': ['ChargePeriodEnd', none],
        'charge_period_start': ['ChargePeriodStart', none],
        'contracted_cost': ['ContractedCost', none],
        'effective_cost': ['EffectiveCost', none],
        'invoice_issuer_name': ['InvoiceIssuerName', none],
        'list_cost': ['ListCost', none],
        'pricing_quantity': ['PricingQuantity', priced],
        'pricing_unit': ['PricingUnit', 'pricing_quantity is not null'],
        'provider_name': ['ProviderName', 'service_provider_name is null'],
        'publisher_name': ['PublisherName', 'service_provider_name is null'],
        'service_category': ['ServiceCategory', none],
        'service_name': ['ServiceName', none],
    }) }}
{%- endmacro %}
