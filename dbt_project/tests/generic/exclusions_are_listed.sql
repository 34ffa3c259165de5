{#- What the reconciliation sets aside is, per metric and currency, the sum of the lines that the ledger lists. -#}
{% test exclusions_are_listed(model, reconciliation) %}
{%- set metrics = ['unblended_cost', 'blended_cost', 'public_on_demand_cost'] %}
with set_aside as (
    {%- for metric in metrics %}
    select
        source,
        billing_period,
        currency_code,
        '{{ metric }}' as metric,
        {{ metric }} as listed,
        cast(0 as decimal(38, 20)) as excluded
    from {{ model }}
    union all
    {%- endfor %}
    select
        source,
        billing_period,
        currency_code,
        metric,
        cast(0 as decimal(38, 20)) as listed,
        excluded_amount as excluded
    from {{ reconciliation }}
    where metric in ({{ quoted_list(metrics) }})
)

select
    source,
    billing_period,
    currency_code,
    metric,
    sum(listed) as listed,
    sum(excluded) as excluded
from set_aside
group by source, billing_period, currency_code, metric
having sum(listed) <> sum(excluded)
{% endtest %}
