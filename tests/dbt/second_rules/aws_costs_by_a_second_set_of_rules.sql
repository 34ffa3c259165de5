-- Raw bill and mart side by side, per day, currency and metric: no row where all is well. The raw side is added up from
-- `raw.aws_cur` in its own words: it shares no expression with the models that it checks.
with raw_lines as (
    select * from {{ source('raw', 'aws_cur') }}
),

net_slices as (
    select
        source,
        billing_period
    from raw_lines
    group by source, billing_period
    having
        {%- for column in [
            'line_item_net_unblended_cost',
            'reservation_net_amortized_upfront_cost_for_usage',
            'reservation_net_amortized_upfront_fee_for_billing_period',
            'reservation_net_effective_cost',
            'reservation_net_recurring_fee_for_usage',
            'reservation_net_unused_amortized_upfront_fee_for_billing_period',
            'reservation_net_unused_recurring_fee',
            'reservation_net_upfront_value',
            'savings_plan_net_amortized_upfront_commitment_for_billing_period',
            'savings_plan_net_recurring_commitment_for_billing_period',
            'savings_plan_net_savings_plan_effective_cost',
            'split_line_item_net_split_cost',
            'split_line_item_net_unused_cost',
        ] %}
        {{ 'or ' if not loop.first }}max({{ column }}) > 0 or min({{ column }}) < 0
        {%- endfor %}
),

-- Reservations that AWS does not spread over usage, and those whose fee is in this very bill.
reservation_sums as (
    select
        source,
        billing_period,
        reservation_reservation_a_r_n as arn,
        sum(
            abs(coalesce(reservation_amortized_upfront_cost_for_usage, 0))
            + abs(coalesce(reservation_amortized_upfront_fee_for_billing_period, 0))
            + abs(coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0))
        ) + coalesce(sum(abs(reservation_effective_cost - coalesce(reservation_recurring_fee_for_usage, 0))) filter (
            where line_item_line_item_type = 'DiscountedUsage' and reservation_amortized_upfront_cost_for_usage is null
        ), 0) as upfront_spread,
        sum(abs(coalesce(reservation_effective_cost, 0)) + abs(coalesce(reservation_unused_recurring_fee, 0)))
            as recurring_spread,
        coalesce(sum(line_item_unblended_cost) filter (
            where line_item_line_item_type = 'Fee' and line_item_unblended_cost > 0
        ), 0) as upfront_fee,
        coalesce(sum(line_item_unblended_cost) filter (where line_item_line_item_type in ('Fee', 'Refund')), 0)
            as upfront_fee_left
    from raw_lines
    where reservation_reservation_a_r_n is not null
    group by source, billing_period, reservation_reservation_a_r_n
),

sorted_lines as (
    select
        raw_lines.*,
        coalesce(cast(raw_lines.line_item_usage_start_date as date), raw_lines.billing_period) as usage_day,
        coalesce(raw_lines.line_item_line_item_type, '') as kind,
        net_slices.source is not null as net,
        -- A fee that is refunded in full in the same bill costs nothing either.
        coalesce(reservation_sums.upfront_spread, 0) <> 0
        or (coalesce(reservation_sums.upfront_fee, 0) <> 0 and reservation_sums.upfront_fee_left = 0) as spread,
        coalesce(reservation_sums.recurring_spread, 0) <> 0 as recurring_is_spread,
        coalesce(reservation_sums.upfront_fee, 0) <> 0 as fee_is_here,
        case
            when raw_lines.line_item_operation in ('EKSPod-EC2', 'ECSTask-EC2') then true
            when raw_lines.split_line_item_parent_resource_id is null then false
            else
                abs(coalesce(raw_lines.line_item_unblended_cost, 0))
                + abs(coalesce(raw_lines.line_item_blended_cost, 0))
                + abs(coalesce(raw_lines.line_item_net_unblended_cost, 0))
                + abs(coalesce(raw_lines.pricing_public_on_demand_cost, 0))
                + abs(coalesce(raw_lines.reservation_effective_cost, 0))
                + abs(coalesce(raw_lines.savings_plan_savings_plan_effective_cost, 0)) = 0
        end as split,
        lower(coalesce(raw_lines.line_item_line_item_description, '')) as words,
        coalesce(raw_lines.savings_plan_total_commitment_to_date, 0)
        - coalesce(raw_lines.savings_plan_used_commitment, 0) as unused_plan,
        coalesce(raw_lines.savings_plan_recurring_commitment_for_billing_period, 0)
        + coalesce(raw_lines.savings_plan_amortized_upfront_commitment_for_billing_period, 0) as plan,
        coalesce(raw_lines.savings_plan_recurring_commitment_for_billing_period, 0) - coalesce(
            raw_lines.savings_plan_net_recurring_commitment_for_billing_period,
            raw_lines.savings_plan_recurring_commitment_for_billing_period,
            0
        ) + coalesce(raw_lines.savings_plan_amortized_upfront_commitment_for_billing_period, 0) - coalesce(
            raw_lines.savings_plan_net_amortized_upfront_commitment_for_billing_period,
            raw_lines.savings_plan_amortized_upfront_commitment_for_billing_period,
            0
        ) as plan_discount
    from raw_lines
    left join net_slices
        on raw_lines.source = net_slices.source and raw_lines.billing_period = net_slices.billing_period
    left join reservation_sums
        on
            raw_lines.source = reservation_sums.source
            and raw_lines.billing_period = reservation_sums.billing_period
            and raw_lines.reservation_reservation_a_r_n = reservation_sums.arn
),

grouped_lines as (
    select
        source,
        billing_period,
        usage_day,
        line_item_currency_code,
        kind,
        net,
        split,
        -- What becomes of a fee or its refund: `spread` costs nothing here, `kept` costs what was billed.
        case
            when kind = 'Fee' and reservation_reservation_a_r_n is not null and spread then 'spread'
            when
                kind = 'RIFee'
                and not recurring_is_spread
                and coalesce(
                    reservation_unused_amortized_upfront_fee_for_billing_period, reservation_unused_recurring_fee
                ) is null
                then 'kept'
            when
                kind = 'SavingsPlanRecurringFee'
                and coalesce(savings_plan_total_commitment_to_date, savings_plan_used_commitment) is null
                then 'kept'
            when kind <> 'Refund' then 'other'
            when words like 'refund for one-time fee for savings plan%' then 'spread'
            when
                savings_plan_savings_plan_a_r_n is not null and (words like '%one-time fee%' or words like '%upfront%')
                then 'spread'
            when reservation_reservation_a_r_n is null then 'other'
            when words like '%recurring%' or words like '%hourly%' or words like '%monthly%' then 'other'
            when spread then 'spread'
            when
                fee_is_here
                or lower(reservation_reservation_a_r_n) like '%host-reservation%'
                or lower(reservation_reservation_a_r_n) like '%dedicated-host%'
                or lower(line_item_usage_type) like '%hostusage%'
                or lower(line_item_usage_type) like '%hostboxusage%'
                then 'other'
            else 'spread'
        end as fate,
        count(*) as line_items,
        sum(line_item_usage_amount) as usage,
        sum(line_item_normalized_usage_amount) as normalized_usage,
        sum(line_item_unblended_cost) as unblended,
        sum(line_item_blended_cost) as blended,
        sum(line_item_net_unblended_cost) as net_unblended,
        sum(line_item_unblended_cost) filter (where line_item_net_unblended_cost is null) as unblended_without_net,
        sum(pricing_public_on_demand_cost) as list_price,
        sum(savings_plan_savings_plan_effective_cost) as plan_effective,
        sum(savings_plan_net_savings_plan_effective_cost) as plan_net_effective,
        sum(savings_plan_savings_plan_effective_cost) filter (where savings_plan_net_savings_plan_effective_cost is null)
            as plan_effective_without_net,
        sum(savings_plan_total_commitment_to_date) as committed,
        sum(savings_plan_used_commitment) as used,
        -- The one metric that is no sum of delivered values: what the discount takes off unused commitments.
        sum(
            case
                when kind = 'SavingsPlanRecurringFee' and net
                    then unused_plan - ({{ in_proportion('unused_plan', 'plan - plan_discount', 'plan') }})
            end
        ) as unused_plan_discount,
        sum(reservation_effective_cost) as reserved_effective,
        sum(line_item_unblended_cost) filter (where reservation_effective_cost is null) as unblended_without_effective,
        sum(reservation_net_effective_cost) as reserved_net_effective,
        sum(reservation_effective_cost) filter (where reservation_net_effective_cost is null)
            as reserved_effective_without_net,
        sum(line_item_net_unblended_cost) filter (
            where coalesce(reservation_net_effective_cost, reservation_effective_cost) is null
        ) as net_unblended_without_effective,
        sum(line_item_unblended_cost) filter (
            where
                coalesce(
                    reservation_net_effective_cost, reservation_effective_cost, line_item_net_unblended_cost
                ) is null
        ) as unblended_without_net_or_effective,
        sum(reservation_unused_amortized_upfront_fee_for_billing_period) as unused_upfront,
        sum(reservation_unused_recurring_fee) as unused_recurring,
        sum(reservation_net_unused_amortized_upfront_fee_for_billing_period) as net_unused_upfront,
        sum(reservation_net_unused_recurring_fee) as net_unused_recurring,
        sum(reservation_unused_amortized_upfront_fee_for_billing_period) filter (
            where reservation_net_unused_amortized_upfront_fee_for_billing_period is null
        ) as unused_upfront_without_net,
        sum(reservation_unused_recurring_fee) filter (where reservation_net_unused_recurring_fee is null)
            as unused_recurring_without_net,
        sum(split_line_item_split_cost) as split_cost,
        sum(split_line_item_unused_cost) as unused_split_cost,
        sum(split_line_item_net_split_cost) as net_split_cost,
        sum(split_line_item_split_cost) filter (where split_line_item_net_split_cost is null) as split_cost_without_net,
        sum(split_line_item_net_unused_cost) as net_unused_split_cost,
        sum(split_line_item_unused_cost) filter (where split_line_item_net_unused_cost is null)
            as unused_split_cost_without_net,
        sum(split_line_item_public_on_demand_split_cost) as public_on_demand_split_cost,
        sum(split_line_item_public_on_demand_unused_cost) as public_on_demand_unused_split_cost
    from sorted_lines
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

-- Nulls come from groups without a value and add nothing.
priced_groups as (
    select
        grouped_lines.*,
        case
            when not net then coalesce(unblended, 0)
            when kind in ('Discount', 'EdpDiscount', 'PrivateRateDiscount', 'RiVolumeDiscount', 'BundledDiscount')
                then coalesce(net_unblended, 0)
            else coalesce(net_unblended, 0) + coalesce(unblended_without_net, 0)
        end as net_billed,
        case
            when fate = 'spread' or kind in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') then 0
            when fate = 'kept' then coalesce(unblended, 0)
            when kind = 'SavingsPlanCoveredUsage' then coalesce(plan_effective, 0)
            when kind = 'SavingsPlanRecurringFee' then coalesce(committed, 0) - coalesce(used, 0)
            when kind = 'DiscountedUsage' then coalesce(reserved_effective, 0) + coalesce(unblended_without_effective, 0)
            when kind = 'RIFee' then coalesce(unused_upfront, 0) + coalesce(unused_recurring, 0)
            else coalesce(unblended, 0)
        end as amortized
    from grouped_lines
),

raw_metrics as (
    select
        source,
        billing_period,
        usage_day,
        line_item_currency_code,
        split,
        line_items,
        case when kind in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage') then usage end as usage_amount,
        case when kind in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage') then normalized_usage end
            as normalized_usage_amount,
        unblended as unblended_cost,
        blended as blended_cost,
        amortized as amortized_cost,
        net_billed as net_unblended_cost,
        case
            when not net then amortized
            when fate = 'spread' or kind in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee') then 0
            when fate = 'kept' then net_billed
            when kind = 'SavingsPlanCoveredUsage'
                then coalesce(plan_net_effective, 0) + coalesce(plan_effective_without_net, 0)
            when kind = 'SavingsPlanRecurringFee'
                then coalesce(committed, 0) - coalesce(used, 0) - coalesce(unused_plan_discount, 0)
            when kind = 'DiscountedUsage'
                then
                    coalesce(reserved_net_effective, 0)
                    + coalesce(reserved_effective_without_net, 0)
                    + coalesce(net_unblended_without_effective, 0)
                    + coalesce(unblended_without_net_or_effective, 0)
            when kind = 'RIFee'
                then
                    coalesce(net_unused_upfront, 0)
                    + coalesce(unused_upfront_without_net, 0)
                    + coalesce(net_unused_recurring, 0)
                    + coalesce(unused_recurring_without_net, 0)
            else net_billed
        end as net_amortized_cost,
        case when kind <> 'SavingsPlanNegation' then list_price end as public_on_demand_cost,
        case
            when
                kind in (
                    'SavingsPlanCoveredUsage', 'SavingsPlanNegation', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee'
                )
                then plan_effective
            else unblended
        end as calculated_amortized_cost,
        split_cost,
        unused_split_cost,
        case when net then coalesce(net_split_cost, 0) + coalesce(split_cost_without_net, 0) else split_cost end
            as net_split_cost,
        case
            when net then coalesce(net_unused_split_cost, 0) + coalesce(unused_split_cost_without_net, 0)
            else unused_split_cost
        end as net_unused_split_cost,
        public_on_demand_split_cost,
        public_on_demand_unused_split_cost
    from priced_groups
),

{%- set ordinary = [
    'usage_amount', 'normalized_usage_amount', 'unblended_cost', 'blended_cost', 'amortized_cost', 'net_unblended_cost',
    'net_amortized_cost', 'public_on_demand_cost', 'calculated_amortized_cost',
] %}
{%- set shares = [
    'split_cost', 'unused_split_cost', 'net_split_cost', 'net_unused_split_cost', 'public_on_demand_split_cost',
    'public_on_demand_unused_split_cost',
] %}
{%- set metrics = ordinary + shares + ['line_items'] %}

-- One row a day from each side: what the bill says, what of it is a container's share, what the summary says.
both_sides as (
    select
        source,
        billing_period,
        usage_day as usage_date,
        line_item_currency_code as currency_code,
        {%- for metric in metrics %}
        sum({{ metric }}) as raw_{{ metric }},
        {{ 'sum(' ~ metric ~ ') filter (where split)' if metric in ordinary else 'cast(null as decimal(38, 20))' }}
            as excluded_{{ metric }},
        cast(null as decimal(38, 20)) as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from raw_metrics
    group by 1, 2, 3, 4
    union all
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        {%- for metric in metrics %}
        null as raw_{{ metric }},
        null as excluded_{{ metric }},
        sum({{ 'line_item_count' if metric == 'line_items' else metric }}) as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('aws_daily_summary') }}
    group by 1, 2, 3, 4
),

days as (
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        {%- for metric in metrics %}
        coalesce(sum(raw_{{ metric }}), 0) as raw_{{ metric }},
        coalesce(sum(excluded_{{ metric }}), 0) as excluded_{{ metric }},
        coalesce(sum(actual_{{ metric }}), 0) as actual_{{ metric }}{{ ',' if not loop.last }}
        {%- endfor %}
    from both_sides
    group by 1, 2, 3, 4
),

compared as (
    select
        days.source,
        days.billing_period,
        days.usage_date,
        days.currency_code,
        metrics.metric,
        {%- for side in ['raw', 'excluded', 'actual'] %}
        cast(
            case metrics.metric
                {%- for metric in metrics %}
                when '{{ metric }}' then days.{{ side }}_{{ metric }}
                {%- endfor %}
            end as decimal(38, 20)
        ) as {{ side }}_amount{{ ',' if not loop.last }}
        {%- endfor %}
    from days
    cross join (values {% for metric in metrics %}('{{ metric }}'){{ ', ' if not loop.last }}{% endfor %}) as metrics (metric)
),

final as (
    select
        source,
        billing_period,
        usage_date,
        currency_code,
        metric,
        raw_amount,
        excluded_amount,
        raw_amount - excluded_amount as expected_amount,
        actual_amount,
        actual_amount - (raw_amount - excluded_amount) as difference
    from compared
)

select * from final
where difference <> 0 or difference is null
