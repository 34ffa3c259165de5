-- How each month's bill grew, load by load. Read from the receipts and control totals alone.
with all_loads as (
    select * from {{ ref('int_oci__loads') }}
    where {{ slice_filter() }}
),

totals as (
    select
        source,
        billing_period,
        load_id,
        nullif(currency_code, '') as currency_code,
        sum(stored) as cost,
        coalesce(sum(stored) filter (where line_item_type = 'Correction'), 0) as corrected_cost
    from {{ source('raw', 'control_totals') }}
    where
        {{ slice_filter() }}
        and {{ of_raw_table('raw.oci_cost') }}
        and metric = 'cost_my_cost'
    group by source, billing_period, load_id, nullif(currency_code, '')
),

slices as (
    select * from {{ ref('int_oci__slices') }}
    where {{ slice_filter() }}
),

loads as (
    select
        all_loads.source,
        all_loads.billing_period,
        all_loads.load_id,
        all_loads.delivery_id,
        all_loads.loaded_at,
        all_loads.loaded_at = slices.loaded_at as is_current,
        all_loads.file_count,
        all_loads.line_item_count,
        totals.currency_code,
        coalesce(totals.cost, 0) as cost,
        coalesce(totals.corrected_cost, 0) as corrected_cost
    from all_loads
    inner join slices
        on
            all_loads.source = slices.source
            and all_loads.billing_period = slices.billing_period
    left join totals
        on
            all_loads.source = totals.source
            and all_loads.billing_period = totals.billing_period
            and all_loads.load_id = totals.load_id
),

final as (
    select
        *,
        sum(cost) over (
            partition by source, billing_period, currency_code
            order by loaded_at, load_id
            rows between unbounded preceding and current row
        ) as cost_so_far
    from loads
)

select * from final
