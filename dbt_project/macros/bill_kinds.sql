{#-
  The kinds of bills, as each raw table holds one: its staging model, and whether a month's loads add up (`increments`) or each
  stands for the whole month. In the order of preference: where a source's month has rows of several, the first is the bill.
-#}
{% macro every_bill_kind() -%}
    {{ return({
        'aws': {'table': 'aws_cur', 'increments': false},
        'oci': {'table': 'oci_cost', 'increments': true},
        'focus': {'table': 'focus', 'increments': true},
        'lakehouse': {'table': 'lakehouse_costs', 'increments': false},
    }) }}
{%- endmacro %}

{#-
  The kinds whose models are in this build. Var `bill_kinds` lists them; absent means every one. What a build leaves out has no row
  in its slices: models that bring the kinds together give the same without it.
-#}
{% macro bill_kinds() -%}
    {%- set chosen = var('bill_kinds', none) -%}
    {%- set kinds = {} -%}
    {%- for kind, about in every_bill_kind().items() if chosen is none or kind in chosen -%}
        {%- do kinds.update({kind: about}) -%}
    {%- endfor -%}
    {{ return(kinds) }}
{%- endmacro %}

{#- The kinds whose months come in many loads, for `in (...)`. -#}
{% macro increment_kinds() -%}
    {%- set kinds = [] -%}
    {%- for kind, about in every_bill_kind().items() if about['increments'] -%}{%- do kinds.append(kind) -%}{%- endfor -%}
    {{ quoted_list(kinds) }}
{%- endmacro %}

{#- The kind of bill that a ledger's row is of; null for raw tables that hold no bill. -#}
{% macro bill_kind() -%}
    case coalesce(raw_table, 'raw.aws_cur')
        {%- for kind, about in every_bill_kind().items() %}
        when 'raw.{{ about['table'] }}' then '{{ kind }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- The metric of the control totals that is a bill's cost. -#}
{% macro billed_metrics() -%}
    {{ return(['line_item_unblended_cost', 'cost_my_cost', 'billed_cost']) }}
{%- endmacro %}
