{%- set of_files = ['files', '"rows"', 'bytes'] %}
{%- set of_receipts = ['requests', 'athena_bytes', 'athena_cost_usd', 'seconds'] %}
-- What a load took is what its receipt says: file by file what the files are, and as one row what was measured of all of them. A load
-- that was refused has no files on record.
with receipts as (
    select * from {{ source('raw', 'receipts') }}
),

delivered as (
    select
        receipts.source,
        receipts.billing_period,
        receipts.load_id,
        receipts.raw_table,
        receipts.state,
        receipts.loaded_at,
        listed."key" as file_name,
        1 as files,
        coalesce(listed."rows", 0) as "rows",
        coalesce(listed.size, 0) as bytes
    from receipts
    inner join {{ source('raw', 'files') }} as listed
        on
            receipts.source = listed.source
            and receipts.billing_period = listed.billing_period
            and receipts.load_id = listed.load_id
            and receipts.raw_table = listed.raw_table
),

files_of_loads as (
    select
        source,
        billing_period,
        load_id,
        raw_table,
        {%- for column in of_files %}
        sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from delivered
    group by source, billing_period, load_id, raw_table
),

parts as (
    select
        source,
        billing_period,
        load_id,
        raw_table,
        state,
        loaded_at,
        file_name,
        'file_of_a_load' as line_rule,
        {%- for column in of_files %}
        {{ column }},
        {%- endfor %}
        {%- for column in of_receipts %}
        0 as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from delivered
    union all
    select
        receipts.source,
        receipts.billing_period,
        receipts.load_id,
        receipts.raw_table,
        receipts.state,
        receipts.loaded_at,
        cast(null as varchar) as file_name,
        'receipt_of_a_load' as line_rule,
        {%- for column in of_files %}
        coalesce(receipts.{{ column }}, 0) - coalesce(files_of_loads.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        {%- for column in of_receipts %}
        coalesce(receipts.{{ column }}, 0) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from receipts
    left join files_of_loads
        on
            receipts.source = files_of_loads.source
            and receipts.billing_period = files_of_loads.billing_period
            and receipts.load_id = files_of_loads.load_id
            and receipts.raw_table = files_of_loads.raw_table
)

select
    file_name,
    cast(null as bigint) as row_number,
    cast(loaded_at as date) as line_date,
    cast(null as varchar) as line_account,
    raw_table as line_service,
    state as line_type,
    'load ' || load_id as line_description,
    line_rule,
    cast(null as varchar) as line_exclusion,
    cast(null as decimal(38, 20)) as line_delivered_cost,
    source,
    billing_period,
    load_id,
    raw_table,
    {%- for column in of_files + of_receipts %}
    {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from parts
