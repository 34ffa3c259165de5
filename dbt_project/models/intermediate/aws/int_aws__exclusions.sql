-- Every raw line whose money a metric leaves out, with its reason and amounts. There should be none: AWS bills containers' shares
-- at 0, as the instance's own line carries the money.
with raw_lines as (
    select * from {{ source('raw', 'aws_cur') }}
    where {{ slice_filter() }}
),

exclusions as (
    select
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        'container share of an instance' as reason,
        line_item_line_item_type as line_item_type,
        bill_invoice_id as invoice_id,
        line_item_currency_code as currency_code,
        coalesce(line_item_unblended_cost, 0) as unblended_cost,
        coalesce(line_item_blended_cost, 0) as blended_cost,
        coalesce(line_item_net_unblended_cost, 0) as net_unblended_cost,
        coalesce(pricing_public_on_demand_cost, 0) as public_on_demand_cost
    from raw_lines
    where
        line_item_operation in ('EKSPod-EC2', 'ECSTask-EC2')
        and (
            line_item_unblended_cost <> 0
            or line_item_blended_cost <> 0
            or line_item_net_unblended_cost <> 0
            or pricing_public_on_demand_cost <> 0
            or reservation_effective_cost <> 0
            or savings_plan_savings_plan_effective_cost <> 0
        )
)

select * from exclusions
