{#-
  The common row: FOCUS 1.2's columns in snake case, with FOCUS's meanings, and `x_` columns for what FOCUS has no place for.
  One raw line is one row. Every provider's `int_<provider>__costs` has exactly these columns, in any order.
-#}
{% macro cost_columns() -%}
    {{ return([
        'source', 'billing_period', 'delivery_id', 'file_name', 'row_number', 'x_bill_kind', 'x_provider',

        'provider_name', 'publisher_name', 'invoice_issuer_name', 'invoice_id', 'billing_account_id', 'billing_account_name',
        'billing_account_type', 'sub_account_id', 'sub_account_name', 'sub_account_type',

        'billing_period_start', 'billing_period_end', 'charge_period_start', 'charge_period_end', 'charge_category',
        'charge_class', 'charge_frequency', 'charge_description', 'pricing_category', 'commitment_discount_id',
        'commitment_discount_category', 'commitment_discount_type', 'commitment_discount_status', 'commitment_discount_name',
        'commitment_discount_quantity', 'commitment_discount_unit', 'capacity_reservation_id', 'capacity_reservation_status',

        'service_category', 'service_subcategory', 'service_name', 'sku_id', 'sku_meter', 'sku_price_id', 'sku_price_details',
        'region_id', 'region_name', 'availability_zone', 'resource_id', 'resource_name', 'resource_type', 'consumed_unit',
        'billing_currency', 'tags',

        'pricing_quantity', 'pricing_unit', 'pricing_currency', 'list_unit_price', 'contracted_unit_price',
        'pricing_currency_list_unit_price', 'pricing_currency_contracted_unit_price', 'pricing_currency_effective_cost',

        'x_usage_date', 'x_usage_end_date', 'x_is_period_charge', 'x_line_item_type', 'x_service_code', 'x_product_name',
        'x_product_family', 'x_instance_type', 'x_operation', 'x_bill_type', 'x_billing_entity', 'x_legal_entity',
        'x_purchase_option', 'x_cost_categories', 'x_subscription_id', 'x_compartment_id', 'x_compartment_name',
        'x_writer', 'x_writer_source', 'x_line_item_count', 'x_is_overage', 'x_is_correction', 'x_is_voided', 'x_is_container_share', 'x_unused_commitment_cost',
        'x_unused_commitment_quantity', 'x_cost_rule', 'x_exclusion', 'x_findings', 'x_delivery_findings',

        'x_delivered_cost',
    ] + cost_sums()) }}
{%- endmacro %}

{#- The exact amounts of the common row: each is valued once per line and then only added. -#}
{% macro cost_sums() -%}
    {{ return([
        'billed_cost', 'effective_cost', 'list_cost', 'contracted_cost', 'consumed_quantity', 'x_normalized_usage_amount',
        'x_blended_cost', 'x_amortized_cost', 'x_net_unblended_cost', 'x_public_on_demand_cost',
        'x_calculated_amortized_cost', 'x_split_cost', 'x_unused_split_cost', 'x_net_split_cost', 'x_net_unused_split_cost',
        'x_public_on_demand_split_cost', 'x_public_on_demand_unused_split_cost', 'x_consumed_quantity_overage',
        'x_billed_cost_overage',
    ]) }}
{%- endmacro %}

{#-
  The grain of the one daily summary, the finest that any mart needs: column -> the kinds of bills whose lines are parted by it.
  In other kinds it is the same in every line, or follows from the columns that part them (a charge category from the line item
  type): it need not be compared, line by line, to be in the summary.
-#}
{% macro cost_grain() -%}
    {%- set every = ['aws', 'oci', 'focus', 'lakehouse'] -%}
    {{ return({
        'source': every, 'billing_period': every, 'delivery_id': every, 'x_bill_kind': [], 'x_provider': ['focus', 'lakehouse'],
        'x_usage_date': every, 'x_usage_end_date': ['aws'], 'x_is_period_charge': ['aws'],
        'billing_account_id': ['aws', 'focus', 'lakehouse'], 'billing_account_name': ['aws', 'focus'], 'sub_account_id': every,
        'sub_account_name': ['aws', 'focus'], 'invoice_id': ['aws', 'focus', 'lakehouse'], 'charge_category': ['focus'],
        'charge_class': ['focus'], 'pricing_category': ['focus'], 'commitment_discount_id': ['aws', 'focus'],
        'service_category': ['focus'], 'service_name': ['oci', 'focus', 'lakehouse'], 'sku_id': ['oci'], 'sku_meter': ['aws', 'oci'],
        'region_id': every, 'availability_zone': ['aws', 'oci'], 'resource_id': ['oci'], 'consumed_unit': every,
        'billing_currency': every, 'x_line_item_type': ['aws'], 'x_service_code': ['aws'], 'x_product_name': ['aws'],
        'x_product_family': ['aws'], 'x_instance_type': ['aws'], 'x_operation': ['aws'], 'x_bill_type': ['aws'],
        'x_billing_entity': ['aws'], 'x_legal_entity': ['aws'], 'x_purchase_option': ['aws'], 'x_subscription_id': ['oci'],
        'x_compartment_id': ['oci'], 'x_compartment_name': ['oci'], 'x_writer': ['lakehouse'], 'x_writer_source': ['lakehouse'], 'x_is_overage': ['oci'],
        'x_is_correction': ['oci', 'lakehouse'],
    }) }}
{%- endmacro %}

{#- Columns of that grain that differ from line to line in a kind of bill whose summary is not so fine: null there. -#}
{% macro columns_of_lines_alone() -%}
    {{ return({
        'aws': ['sku_id', 'resource_id'],
        'oci': [],
        'focus': ['sku_id', 'sku_meter', 'availability_zone', 'resource_id'],
        'lakehouse': [],
    }) }}
{%- endmacro %}

{#-
  What of a line is worth a look: `found` are (condition, reason, detail) with SQL texts. A list of reasons with their details,
  parted by control characters; '' where there is none, which costs no more than asking.
-#}
{% macro findings(found) -%}
    case
        when
            {%- for condition, reason, detail in found %}
            {{ 'or ' if not loop.first }}({{ condition }})
            {%- endfor %}
            then concat_ws(
                chr(30)
                {%- for condition, reason, detail in found %},
                case when {{ condition }} then {{ reason }}{{ ' || chr(31) || ' ~ detail if detail }} end
                {%- endfor %}
            )
        else ''
    end
{%- endmacro %}

{#- How many lines of a bill the rows of a kind are: what another lakehouse has added up stands for many each. -#}
{% macro line_item_count(kind) -%}
    {{ return('sum(lines.x_line_item_count)' if kind == 'lakehouse' else 'count(*)') }}
{%- endmacro %}
