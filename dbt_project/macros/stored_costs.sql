{#-
  What the control totals say was stored of the bills' costs: of the loads that a month's bill is made of, one row a control total.
-#}
{% macro stored_costs() -%}
    select
        totals.source,
        totals.billing_period,
        nullif(totals.currency_code, '') as currency_code,
        totals.stored
    from {{ source('raw', 'control_totals') }} as totals
    inner join {{ ref('int_costs__loads') }} as loads
        on
            totals.source = loads.source
            and totals.billing_period = loads.billing_period
            and totals.load_id = loads.load_id
    where
        {{ slice_filter('totals') }}
        and totals.metric in ({{ quoted_list(billed_metrics()) }})
        and (
            loads.is_current
            or loads.bill_kind in ({{ increment_kinds() }})
        )
{%- endmacro %}
