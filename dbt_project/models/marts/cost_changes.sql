-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
-- What each delivery changed in the daily summary: what it says now, less all that the published ledger has of it. So a
-- publication that was killed heals with the next one, and a delivery that changes nothing adds no row.
{%- set grain = [
    'source', 'billing_period', 'usage_date', 'account_id', 'service', 'line_item_type', 'currency_code',
] %}
{%- set load = ['delivery_id', 'previous_delivery_id', 'changed_at'] %}
{%- set amounts = ['billed_cost', 'effective_cost', 'line_item_count'] %}

with ledger as (
    select *
    from {{ source('published', 'cost_changes') }}
    where {{ slice_filter() }}
),

slices as (
    select * from {{ ref('int_costs__slices') }}
),

both_sides as (
    {%- for kind, (account, service) in daily_costs_names().items() %}
    select
        source,
        billing_period,
        x_usage_date as usage_date,
        {{ account }} as account_id,
        {{ service }} as service,
        x_line_item_type as line_item_type,
        billing_currency as currency_code,
        billed_cost,
        effective_cost,
        line_item_count
    from {{ ref('int_costs__daily_summary') }}
    where x_bill_kind = '{{ kind }}'
    union all
    {%- endfor %}
    select
        {%- for column in grain %}
        {{ column }},
        {%- endfor %}
        -billed_cost as billed_cost,
        -effective_cost as effective_cost,
        -line_item_count as line_item_count
    from ledger
),

previous as (
    select
        ledger.source,
        ledger.billing_period,
        max_by(ledger.delivery_id, ledger.changed_at) as delivery_id
    from ledger
    inner join slices
        on
            ledger.source = slices.source
            and ledger.billing_period = slices.billing_period
            and ledger.changed_at < slices.loaded_at
    group by ledger.source, ledger.billing_period
),

-- Added up before slices and ledger are joined to it: there are far fewer rows then.
differences as (
    select
        {%- for column in grain %}
        {{ column }},
        {%- endfor %}
        {%- for column in amounts %}
        coalesce(sum({{ column }}), 0) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from both_sides
    group by {{ grain | join(', ') }}
),

all_changes as (
    select
        {%- for column in grain %}
        differences.{{ column }},
        {%- endfor %}
        slices.delivery_id,
        previous.delivery_id as previous_delivery_id,
        slices.loaded_at as changed_at,
        {%- for column in amounts %}
        differences.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from differences
    inner join slices
        on
            differences.source = slices.source
            and differences.billing_period = slices.billing_period
    left join previous
        on
            differences.source = previous.source
            and differences.billing_period = previous.billing_period
    union all
    select
        {%- for column in grain + load + amounts %}
        {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ledger
),

-- One delivery that is built twice, such as after its rules changed, is one change.
final as (
    select
        {%- for column in grain + load %}
        {{ column }},
        {%- endfor %}
        sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost,
        cast(sum(line_item_count) as bigint) as line_item_count
    from all_changes
    group by {{ (grain + load) | join(', ') }}
    having
        sum(billed_cost) <> 0
        or sum(effective_cost) <> 0
        or sum(line_item_count) <> 0
)

select
    {{ row_key(grain + load) }} as cost_changes_id,
    *
from final
