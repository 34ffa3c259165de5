-- A month's bill as a whole: of which kind it is, and the delivery that its rows are of. Where they come from many loads, it is the
-- last of them: marts carry its delivery id.
with loads as (
    select * from {{ ref('int_costs__loads') }}
)

select
    source,
    billing_period,
    bill_kind,
    max(delivery_id) filter (where is_current) as delivery_id,
    max(loaded_at) filter (where is_current) as loaded_at,
    count(*) as load_count
from loads
group by source, billing_period, bill_kind
