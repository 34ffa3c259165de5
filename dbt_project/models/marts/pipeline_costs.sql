-- What every load of the month took, whether it was accepted or refused: its receipts' own words.
with receipts as (
    select * from {{ source('raw', 'receipts') }}
    where {{ slice_filter() }}
)

select
    {{ row_key(['source', 'billing_period', 'load_id', 'raw_table']) }} as pipeline_costs_id,
    source,
    billing_period,
    delivery_id,
    load_id,
    case when state = 'refused' then 'refused load' else 'load' end as work,
    raw_table,
    loaded_at,
    files,
    "rows",
    bytes,
    requests,
    athena_bytes,
    athena_cost_usd,
    seconds
from receipts
