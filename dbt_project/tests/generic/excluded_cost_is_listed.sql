{#- Per slice and currency, what the summary says was delivered and counts nowhere is, to the digit, what the findings list. -#}
{% test excluded_cost_is_listed(model, summary) %}
with set_aside as (
    select
        source,
        billing_period,
        currency_code,
        amount as listed,
        cast(0 as decimal(38, 20)) as excluded
    from {{ model }}
    where
        kind = 'exclusion'
        or reason = 'replaced by a correction'
    union all
    select
        source,
        billing_period,
        billing_currency as currency_code,
        cast(0 as decimal(38, 20)) as listed,
        x_excluded_cost as excluded
    from {{ summary }}
)

select
    source,
    billing_period,
    currency_code,
    sum(listed) as listed,
    sum(excluded) as excluded
from set_aside
group by source, billing_period, currency_code
having sum(listed) <> sum(excluded)
{% endtest %}
