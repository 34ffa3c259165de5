{#- What of a bill an invoice may leave out or have alone: column -> the lines, and what is said where just that explains a difference. -#}
{% macro invoice_parts() -%}
    {{ return({
        'tax_cost': ["charge_category = 'Tax'", 'tax: the invoice leaves it out, or has it on a document of its own'],
        'marketplace_cost': [
            "lower(x_billing_entity) like '%marketplace%'", 'marketplace: these charges are on an invoice of their own'
        ],
        'credit_cost': [
            "charge_category = 'Credit' or x_line_item_type = 'Refund'",
            'credits and refunds: they are on a credit memo of their own',
        ],
        'upfront_cost': [
            "x_line_item_type in ('Fee', 'SavingsPlanUpfrontFee') or (x_bill_kind <> 'aws' and charge_category = 'Purchase')",
            'upfront purchases: they are on an invoice of their own',
        ],
    }) }}
{%- endmacro %}

{#- Invoices as the bill's lines name them: by id; all of a month together where the bill names none, as Oracle's. -#}
{% macro invoice_key(kind, invoice_id) -%}
    case when {{ kind }} <> 'oci' then coalesce({{ invoice_id }}, '') else '' end
{%- endmacro %}
