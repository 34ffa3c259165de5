-- depends_on: {{ ref('int_aws__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_oci__reconciliation') }}
-- depends_on: {{ ref('int_oci__receipts_reconciliation') }}
-- depends_on: {{ ref('int_focus__reconciliation') }}
-- depends_on: {{ ref('int_focus__receipts_reconciliation') }}
with aws as (
    select
        source,
        'aws' as provider,
        billing_period,
        delivery_id,
        usage_date,
        usage_account_id as account_id,
        product_code as service,
        region,
        currency_code,
        unblended_cost as billed_cost,
        net_amortized_cost as effective_cost,
        line_item_count
    from {{ ref('int_aws__daily_summary') }}
    where {{ slice_filter() }}
),

oci as (
    select
        source,
        'oci' as provider,
        billing_period,
        delivery_id,
        usage_date,
        tenant_id as account_id,
        service,
        region,
        currency_code,
        cost as billed_cost,
        cost as effective_cost,
        line_item_count
    from {{ ref('int_oci__daily_summary') }}
    where {{ slice_filter() }}
),

focus as (
    select
        source,
        provider,
        billing_period,
        delivery_id,
        usage_date,
        coalesce(sub_account_id, billing_account_id) as account_id,
        service,
        region,
        currency_code,
        billed_cost,
        effective_cost,
        line_item_count
    from {{ ref('int_focus__daily_summary') }}
    where {{ slice_filter() }}
),

all_costs as (
    select * from aws
    union all
    select * from oci
    union all
    select * from focus
),

{%- set grain = [
    'source', 'provider', 'billing_period', 'delivery_id', 'usage_date', 'account_id', 'service', 'region', 'currency_code',
] %}

summed as (
    select
        {%- for column in grain %}
        {{ column }},
        {%- endfor %}
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        cast(sum(line_item_count) as bigint) as line_item_count
    from all_costs
    group by {{ grain | join(', ') }}
)

select
    {{ row_key(grain) }} as daily_costs_id,
    *
from summed
