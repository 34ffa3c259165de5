-- One row a line item of the slices being built, with every metric valued: the only place where the cost rules stand.
-- Each value is exact; everything downstream only adds.
with line_items as (
    select * from {{ ref('stg_aws__line_items') }}
),

slices as (
    select * from {{ ref('int_aws__slices') }}
),

reservations as (
    select * from {{ ref('int_aws__reservations') }}
),

classified as (
    select
        line_items.*,
        slices.net_is_active,
        coalesce(reservations.upfront_is_amortized, false) as upfront_is_amortized,
        coalesce(reservations.recurring_is_amortized, false) as recurring_is_amortized,
        -- A share of an instance that a container used. The instance's own line carries the money, so these must not add to
        -- it. A line that names a parent but carries money of its own is no share.
        coalesce(
            line_items.operation in ('EKSPod-EC2', 'ECSTask-EC2')
            or (
                line_items.split_parent_resource_id is not null
                and coalesce(line_items.unblended_cost, 0) = 0
                and coalesce(line_items.blended_cost, 0) = 0
                and coalesce(line_items.net_unblended_cost, 0) = 0
                and coalesce(line_items.public_on_demand_cost, 0) = 0
                and coalesce(line_items.reservation_effective_cost, 0) = 0
                and coalesce(line_items.savings_plan_effective_cost, 0) = 0
            ),
            false
        ) as is_split_row,
        coalesce(
            line_items.line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage'), false
        ) as is_usage,
        -- Refunds of a commitment's upfront fee: the fee amortises to 0, so its refund has to as well.
        coalesce(
            line_items.line_item_type = 'Refund' and (
                lower(line_items.description) like 'refund for one-time fee for savings plan%'
                or (
                    line_items.savings_plan_arn is not null
                    and (
                        lower(line_items.description) like '%one-time fee%'
                        or lower(line_items.description) like '%upfront%'
                    )
                )
                or (
                    line_items.reservation_arn is not null
                    -- The refund of a recurring fee or of usage lowers what the month really cost.
                    and lower(coalesce(line_items.description, '')) not like '%recurring%'
                    and lower(coalesce(line_items.description, '')) not like '%hourly%'
                    and lower(coalesce(line_items.description, '')) not like '%monthly%'
                    -- What was never amortised (a Dedicated Host's fee) is refunded in full.
                    and not (
                        not coalesce(reservations.upfront_is_amortized, false)
                        and (
                            coalesce(reservations.has_upfront_fee, false)
                            or lower(line_items.reservation_arn) like '%host-reservation%'
                            or lower(line_items.reservation_arn) like '%dedicated-host%'
                            or lower(coalesce(line_items.usage_type, '')) like '%hostusage%'
                            or lower(coalesce(line_items.usage_type, '')) like '%hostboxusage%'
                        )
                    )
                )
            ),
            false
        ) as is_upfront_refund
    from line_items
    inner join slices
        on
            line_items.source = slices.source
            and line_items.billing_period = slices.billing_period
    left join reservations
        on
            line_items.source = reservations.source
            and line_items.billing_period = reservations.billing_period
            and line_items.reservation_arn = reservations.reservation_arn
),

-- What the metrics are put together from.
parts as (
    select
        classified.*,
        coalesce(
            line_item_type in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee')
            or (line_item_type = 'Fee' and reservation_arn is not null and upfront_is_amortized)
            or is_upfront_refund,
            false
        ) as is_amortized_elsewhere,
        coalesce(
            (line_item_type = 'Fee' and reservation_arn is not null and not upfront_is_amortized)
            or (
                line_item_type = 'RIFee'
                and not recurring_is_amortized
                and reservation_unused_amortized_upfront_fee_for_billing_period is null
                and reservation_unused_recurring_fee is null
            )
            or (
                line_item_type = 'SavingsPlanRecurringFee'
                and savings_plan_total_commitment_to_date is null
                and savings_plan_used_commitment is null
            ),
            false
        ) as is_unamortized_fee,
        case
            when not net_is_active then unblended_cost
            when net_unblended_cost is not null then net_unblended_cost
            -- Net prices hold the discount already: its own line must not give it again.
            when
                line_item_type in ('Discount', 'EdpDiscount', 'PrivateRateDiscount', 'RiVolumeDiscount', 'BundledDiscount')
                then 0
            else unblended_cost
        end as line_net_unblended_cost,
        coalesce(savings_plan_total_commitment_to_date, 0) - coalesce(savings_plan_used_commitment, 0)
            as unused_commitment,
        coalesce(savings_plan_recurring_commitment_for_billing_period, 0)
        + coalesce(savings_plan_amortized_upfront_commitment_for_billing_period, 0) as commitment,
        coalesce(
            savings_plan_net_recurring_commitment_for_billing_period,
            savings_plan_recurring_commitment_for_billing_period,
            0
        ) + coalesce(
            savings_plan_net_amortized_upfront_commitment_for_billing_period,
            savings_plan_amortized_upfront_commitment_for_billing_period,
            0
        ) as net_commitment
    from classified
),

valued as (
    select
        parts.*,
        case
            when is_amortized_elsewhere then 0
            when is_unamortized_fee then unblended_cost
            when line_item_type = 'SavingsPlanCoveredUsage' then savings_plan_effective_cost
            when line_item_type = 'SavingsPlanRecurringFee' then unused_commitment
            when line_item_type = 'DiscountedUsage' then coalesce(reservation_effective_cost, unblended_cost)
            when line_item_type = 'RIFee'
                then
                    coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0)
                    + coalesce(reservation_unused_recurring_fee, 0)
            else unblended_cost
        end as line_amortized_cost,
        case
            when is_amortized_elsewhere then 0
            when is_unamortized_fee then line_net_unblended_cost
            when line_item_type = 'SavingsPlanCoveredUsage'
                then coalesce(savings_plan_net_effective_cost, savings_plan_effective_cost)
            -- AWS gives no net price of an unused commitment: it shares the discount of the whole.
            when line_item_type = 'SavingsPlanRecurringFee'
                then {{ in_proportion('unused_commitment', 'net_commitment', 'commitment') }}
            when line_item_type = 'DiscountedUsage'
                then coalesce(reservation_net_effective_cost, reservation_effective_cost, line_net_unblended_cost)
            when line_item_type = 'RIFee'
                then
                    coalesce(
                        reservation_net_unused_amortized_upfront_fee_for_billing_period,
                        reservation_unused_amortized_upfront_fee_for_billing_period,
                        0
                    )
                    + coalesce(reservation_net_unused_recurring_fee, reservation_unused_recurring_fee, 0)
            else line_net_unblended_cost
        end as line_net_amortized_cost
    from parts
),

final as (
    select
        ---------- where the line comes from
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        own_billing_period_start,

        ---------- when
        -- AWS leaves no start empty; a line without one is kept on the month's first day, and reported.
        coalesce(cast(usage_start as date), billing_period) as usage_date,
        -- An end of midnight belongs to the day before: it is the last day that the line covers.
        case
            when usage_end > usage_start then cast(usage_end - interval '1' second as date)
            else coalesce(cast(usage_start as date), billing_period)
        end as usage_end_date,
        coalesce(usage_end > usage_start + interval '1' day, false) as is_period_charge,

        ---------- who and what
        usage_account_id,
        usage_account_name,
        payer_account_id,
        product_code,
        nullif({{ map_value('product', 'product_name') }}, '') as product_name,
        product_family,
        -- Some regions stand in one place only: the code, the older product attribute, or the availability zone.
        coalesce(
            region_code,
            nullif({{ map_value('product', 'region') }}, ''),
            {{ regexp_group('availability_zone', '^([a-z]+(-[a-z]+)+-[0-9]+)', 1) }}
        ) as region,
        availability_zone,
        instance_type,
        operation,
        usage_type,
        unit,
        line_item_type,
        invoice_id,
        bill_type,
        billing_entity,
        legal_entity,
        currency_code,
        case
            when
                line_item_type in (
                    'SavingsPlanCoveredUsage', 'SavingsPlanNegation', 'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee'
                )
                or savings_plan_arn is not null
                then 'savings_plan'
            when line_item_type in ('DiscountedUsage', 'RIFee') or reservation_arn is not null then 'reserved'
            when usage_type like '%SpotUsage%' or pricing_term = 'Spot' then 'spot'
            else 'on_demand'
        end as purchase_option,
        coalesce(savings_plan_arn, reservation_arn) as commitment_arn,
        resource_id,
        {{ map_to_text('resource_tags') }} as tags_text,
        {{ map_to_text('cost_categories') }} as cost_categories_text,

        ---------- how the rules saw it
        is_split_row,
        split_parent_resource_id is not null and not is_split_row as is_parented_charge,
        is_unamortized_fee and unblended_cost <> 0 as is_unamortized_fee,
        usage_start is null as is_undated,

        ---------- quantities: other types' amounts are no usage, or count it again
        case when is_usage and not is_split_row then coalesce(usage_amount, 0) else 0 end as usage_amount,
        case when is_usage and not is_split_row then coalesce(normalized_usage_amount, 0) else 0 end
            as normalized_usage_amount,

        ---------- money
        case when is_split_row then 0 else coalesce(unblended_cost, 0) end as unblended_cost,
        case when is_split_row then 0 else coalesce(blended_cost, 0) end as blended_cost,
        case when is_split_row then 0 else coalesce(line_amortized_cost, 0) end as amortized_cost,
        case when is_split_row then 0 else coalesce(line_net_unblended_cost, 0) end as net_unblended_cost,
        case
            when is_split_row then 0
            when net_is_active then coalesce(line_net_amortized_cost, 0)
            else coalesce(line_amortized_cost, 0)
        end as net_amortized_cost,
        case
            when is_split_row or line_item_type = 'SavingsPlanNegation' then 0
            else coalesce(public_on_demand_cost, 0)
        end as public_on_demand_cost,
        -- Koku's formula, for those who compare with it: reservations are not spread, unused commitment is missing.
        case
            when is_split_row then 0
            when
                line_item_type in (
                    'SavingsPlanCoveredUsage', 'SavingsPlanNegation', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee'
                )
                then coalesce(savings_plan_effective_cost, 0)
            else coalesce(unblended_cost, 0)
        end as calculated_amortized_cost,

        ---------- money of containers' shares
        coalesce(split_line_item_split_cost, 0) as split_cost,
        coalesce(split_line_item_unused_cost, 0) as unused_split_cost,
        case
            when net_is_active then coalesce(split_line_item_net_split_cost, split_line_item_split_cost, 0)
            else coalesce(split_line_item_split_cost, 0)
        end as net_split_cost,
        case
            when net_is_active then coalesce(split_line_item_net_unused_cost, split_line_item_unused_cost, 0)
            else coalesce(split_line_item_unused_cost, 0)
        end as net_unused_split_cost,
        coalesce(split_line_item_public_on_demand_split_cost, 0) as public_on_demand_split_cost,
        coalesce(split_line_item_public_on_demand_unused_cost, 0) as public_on_demand_unused_split_cost
    from valued
)

select * from final
