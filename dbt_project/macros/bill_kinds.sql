{#-
  The kinds of bills, as each raw table holds one: its staging model, and whether a month's loads add up (`increments`) or each
  stands for the whole month. In the order of preference: where a source's month has rows of several, the first is the bill.
-#}
{% macro bill_kinds() -%}
    {{ return({
        'aws': {'table': 'aws_cur', 'increments': false},
        'oci': {'table': 'oci_cost', 'increments': true},
        'focus': {'table': 'focus', 'increments': true},
    }) }}
{%- endmacro %}

{#- The kinds whose months come in many loads, for `in (...)`. -#}
{% macro increment_kinds() -%}
    {%- set kinds = [] -%}
    {%- for kind, about in bill_kinds().items() if about['increments'] -%}{%- do kinds.append(kind) -%}{%- endfor -%}
    {{ quoted_list(kinds) }}
{%- endmacro %}

{#- The kind of bill that a ledger's row is of; null for raw tables that hold no bill. -#}
{% macro bill_kind() -%}
    case coalesce(raw_table, 'raw.aws_cur')
        {%- for kind, about in bill_kinds().items() %}
        when 'raw.{{ about['table'] }}' then '{{ kind }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- The metric of the control totals that is a bill's cost. -#}
{% macro billed_metrics() -%}
    {{ return(['line_item_unblended_cost', 'cost_my_cost', 'billed_cost']) }}
{%- endmacro %}
