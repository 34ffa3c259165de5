-- One row a line item, in the columns of FOCUS and with every metric valued: the only place where AWS's cost rules stand. Each
-- value is exact; everything downstream only adds. A line stays one row: what FOCUS wants as two (a commitment's purchase and
-- its unused part) is split where FOCUS is written.
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
        slices.next_period,
        coalesce(reservations.upfront_is_amortized, false) as upfront_is_amortized,
        coalesce(reservations.recurring_is_amortized, false) as recurring_is_amortized,
        -- A share of an instance that a container used. The instance's own line carries the money, so these must not add to
        -- it. A line that names a parent but carries money of its own is no share.
        case
            when line_items.operation in ('EKSPod-EC2', 'ECSTask-EC2') then true
            when line_items.split_parent_resource_id is null then false
            else
                coalesce(line_items.unblended_cost, 0) = 0
                and coalesce(line_items.blended_cost, 0) = 0
                and coalesce(line_items.net_unblended_cost, 0) = 0
                and coalesce(line_items.public_on_demand_cost, 0) = 0
                and coalesce(line_items.reservation_effective_cost, 0) = 0
                and coalesce(line_items.savings_plan_effective_cost, 0) = 0
        end as is_split_row,
        coalesce(
            line_items.line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage'), false
        ) as is_usage,
        -- Refunds of a commitment's upfront fee: the fee amortises to 0, so its refund has to as well.
        -- Few lines are: only theirs are read for what they say.
        case
            when line_items.line_item_type = 'Refund'
                then coalesce(
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
                    ),
                    false
                )
            else false
        end as is_upfront_refund
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

dated as (
    select
        valued.*,
        -- AWS leaves no start empty; a line without one is kept on the month's first day, and reported.
        coalesce(cast(usage_start as date), billing_period) as usage_date,
        case when is_split_row then 0 else coalesce(unblended_cost, 0) end as line_billed_cost,
        case when is_split_row then 0 else coalesce(line_net_unblended_cost, 0) end as line_net_billed_cost,
        case
            when is_split_row or line_item_type = 'SavingsPlanNegation' then 0
            else coalesce(public_on_demand_cost, 0)
        end as line_public_on_demand_cost,
        coalesce(savings_plan_arn, reservation_arn) as commitment_arn,
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
        case
            when
                line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'SavingsPlanNegation')
                or line_item_type = 'FlatRateSubscription'
                then 'Usage'
            when line_item_type in ('Fee', 'RIFee', 'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee') then 'Purchase'
            when line_item_type in ('Tax', 'Credit') then line_item_type
            when line_item_type = 'Refund'
                then
                    case
                        when
                            coalesce(savings_plan_arn, reservation_arn) is not null
                            or product_code = 'ComputeSavingsPlans'
                            then 'Purchase'
                        else 'Usage'
                    end
            else 'Adjustment'
        end as charge_category
    from valued
),

priced as (
    select
        dated.*,
        -- Some regions stand in one place only: the code, the older product attribute, or the availability zone.
        coalesce(
            region_code,
            nullif({{ map_value('product', 'region') }}, ''),
            {{ regexp_group('availability_zone', '^([a-z]+(-[a-z]+)+-[0-9]+)', 1) }}
        ) as line_region,
        -- A charge without a list price costs at list what it is billed, and so does a commitment itself: its list price is in
        -- the usage that it covers. What a Savings Plan takes back is no charge.
        case
            when line_item_type = 'SavingsPlanNegation' then 0
            when charge_category = 'Purchase' and commitment_arn is not null then line_billed_cost
            when charge_category in ('Usage', 'Purchase') and line_public_on_demand_cost <> 0 then line_public_on_demand_cost
            else line_billed_cost
        end as line_list_cost,
        case
            when line_item_type = 'SavingsPlanNegation' then 0
            when line_item_type = 'DiscountedUsage' then line_public_on_demand_cost
            else line_net_billed_cost
        end as line_contracted_cost,
        coalesce(line_item_type = 'Refund' or bill_type = 'Refund', false) as is_correction,
        coalesce(
            line_item_type in ('RIFee', 'SavingsPlanRecurringFee') and not is_unamortized_fee and not is_split_row, false
        ) as has_unused_part
    from dated
),

quantified as (
    select
        priced.*,
        -- Taxes, credits, discounts and refunds have no price; a fee is one unit.
        case
            when charge_category not in ('Usage', 'Purchase') or is_correction or line_item_type = 'SavingsPlanNegation' then null
            when usage_amount <> 0 then usage_amount
            when usage_amount = 0 and line_list_cost = 0 and line_contracted_cost = 0 then 0
            else 1
        end as line_pricing_quantity
    from priced
),

-- Worked out once: two columns say each of them.
unit_priced as (
    select
        quantified.*,
        {{ unit_price('line_list_cost', 'line_pricing_quantity') }} as line_list_unit_price,
        {{ unit_price('line_contracted_cost', 'line_pricing_quantity') }} as line_contracted_unit_price
    from quantified
),

final as (
    select
        ---------- where the line comes from
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        'aws' as x_bill_kind,
        'aws' as x_provider,

        ---------- who bills whom
        'AWS' as provider_name,
        coalesce(legal_entity, 'Amazon Web Services, Inc.') as publisher_name,
        coalesce(invoicing_entity, 'Amazon Web Services, Inc.') as invoice_issuer_name,
        invoice_id,
        payer_account_id as billing_account_id,
        payer_account_name as billing_account_name,
        'Payer Account' as billing_account_type,
        usage_account_id as sub_account_id,
        usage_account_name as sub_account_name,
        case when usage_account_id is not null then 'Linked Account' end as sub_account_type,

        ---------- the charge
        own_billing_period_start as billing_period_start,
        own_billing_period_end as billing_period_end,
        usage_start as charge_period_start,
        usage_end as charge_period_end,
        charge_category,
        case when is_correction then 'Correction' end as charge_class,
        case
            when line_item_type in ('RIFee', 'SavingsPlanRecurringFee') then 'Recurring'
            when line_item_type = 'Fee' and bill_type = 'Anniversary' and commitment_arn is null then 'Recurring'
            when charge_category = 'Usage' and line_item_type <> 'Refund' then 'Usage-Based'
            else 'One-Time'
        end as charge_frequency,
        description as charge_description,
        case
            when line_item_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage') then 'Committed'
            when charge_category = 'Tax' then null
            when purchase_option = 'spot' then 'Dynamic'
            else 'Standard'
        end as pricing_category,
        commitment_arn as commitment_discount_id,
        case
            when savings_plan_arn is not null then 'Spend'
            when reservation_arn is not null then 'Usage'
        end as commitment_discount_category,
        case
            when savings_plan_arn is not null then 'Savings Plan'
            when reservation_arn is not null then 'Reserved Instance'
        end as commitment_discount_type,
        case
            when
                line_item_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage') and commitment_arn is not null
                then 'Used'
        end as commitment_discount_status,
        -- AWS gives commitments no name.
        cast(null as varchar) as commitment_discount_name,
        case
            when commitment_arn is null or charge_category not in ('Usage', 'Purchase') or is_correction then null
            when line_item_type = 'SavingsPlanCoveredUsage' then coalesce(savings_plan_effective_cost, 0)
            when line_item_type = 'SavingsPlanRecurringFee'
                then coalesce(savings_plan_total_commitment_to_date, unblended_cost, 0)
            when savings_plan_arn is not null then coalesce(unblended_cost, 0)
            when line_item_type in ('RIFee', 'Fee')
                then coalesce(try_cast(reservation_total_reserved_units as decimal(38, 20)), usage_amount, 0)
            else coalesce(usage_amount, 0)
        end as commitment_discount_quantity,
        case
            when commitment_arn is null or charge_category not in ('Usage', 'Purchase') or is_correction then null
            when savings_plan_arn is not null then currency_code
            else 'Hours'
        end as commitment_discount_unit,
        capacity_reservation_id,
        -- AWS also says Reserved and Cancelled, of lines that are neither use nor the lack of it.
        case
            when capacity_reservation_id is not null and capacity_reservation_status in ('Used', 'Unused')
                then capacity_reservation_status
        end as capacity_reservation_status,

        ---------- what was used
        -- The bill does not know FOCUS's category of an AWS service: `focus_service_categories` does, where FOCUS is written.
        cast(null as varchar) as service_category,
        cast(null as varchar) as service_subcategory,
        coalesce(nullif({{ map_value('product', 'product_name') }}, ''), product_code) as service_name,
        case
            when charge_category <> 'Tax'
                then coalesce(product_sku, nullif(split_part(pricing_rate_code, '.', 1), ''), usage_type, product_code)
        end as sku_id,
        usage_type as sku_meter,
        case
            when charge_category <> 'Tax'
                then coalesce(pricing_rate_code, pricing_rate_id, product_sku, usage_type, product_code)
        end as sku_price_id,
        case
            when charge_category <> 'Tax' and instance_type is not null
                then '{"InstanceType":' || {{ json_string('instance_type') }} || '}'
        end as sku_price_details,
        line_region as region_id,
        case
            when line_region is not null
                then coalesce(region_name, nullif({{ map_value('product', 'location') }}, ''), line_region)
        end as region_name,
        availability_zone,
        resource_id,
        cast(null as varchar) as resource_name,
        case
            when resource_id is null then null
            when resource_id like 'i-%' then 'instance'
            when resource_id like 'vol-%' then 'volume'
            else
                coalesce(
                    {{ regexp_group('resource_id', '^arn:[^:]*:[^:]*:[^:]*:[^:]*:([a-z0-9-]+)[/:]', 1) }},
                    case when product_code = 'AmazonS3' then 'bucket' end,
                    lower(product_family),
                    'resource'
                )
        end as resource_type,
        unit as consumed_unit,
        currency_code as billing_currency,
        {{ map_to_text('resource_tags') }} as tags,
        coalesce(pricing_currency, currency_code) as pricing_currency,

        ---------- what FOCUS has no place for
        usage_date as x_usage_date,
        -- An end of midnight belongs to the day before: it is the last day that the line covers.
        case
            when usage_end > usage_start then cast(usage_end - interval '1' second as date)
            else usage_date
        end as x_usage_end_date,
        coalesce(usage_end > usage_start + interval '1' day, false) as x_is_period_charge,
        line_item_type as x_line_item_type,
        product_code as x_service_code,
        nullif({{ map_value('product', 'product_name') }}, '') as x_product_name,
        product_family as x_product_family,
        instance_type as x_instance_type,
        operation as x_operation,
        bill_type as x_bill_type,
        billing_entity as x_billing_entity,
        legal_entity as x_legal_entity,
        purchase_option as x_purchase_option,
        {{ map_to_text('cost_categories') }} as x_cost_categories,
        cast(null as varchar) as x_subscription_id,
        cast(null as varchar) as x_compartment_id,
        cast(null as varchar) as x_compartment_name,
        cast(null as varchar) as x_writer,
        cast(null as varchar) as x_writer_source,
        cast(1 as bigint) as x_line_item_count,
        false as x_is_overage,
        false as x_is_correction,
        false as x_is_voided,
        is_split_row as x_is_container_share,
        case
            when is_split_row then 'split_cost_share'
            when line_item_type = 'SavingsPlanNegation' then 'savings_plan_negation'
            when line_item_type = 'SavingsPlanUpfrontFee' then 'savings_plan_upfront_fee'
            when is_upfront_refund then 'commitment_upfront_refund'
            when is_amortized_elsewhere then 'reservation_upfront_fee'
            when is_unamortized_fee then 'fee_without_amortisation'
            when line_item_type = 'SavingsPlanCoveredUsage' then 'savings_plan_covered_usage'
            when line_item_type = 'SavingsPlanRecurringFee' then 'savings_plan_recurring_fee'
            when line_item_type = 'DiscountedUsage' then 'reserved_usage'
            when line_item_type = 'RIFee' then 'reservation_recurring_fee'
            when
                net_is_active
                and net_unblended_cost is null
                and line_item_type in ('Discount', 'EdpDiscount', 'PrivateRateDiscount', 'RiVolumeDiscount', 'BundledDiscount')
                then 'discount_within_net_prices'
            else 'as_billed'
        end as x_cost_rule,
        -- AWS bills containers' shares at 0, as the instance's own line carries the money: there should be none.
        case
            when
                operation in ('EKSPod-EC2', 'ECSTask-EC2')
                and (
                    unblended_cost <> 0
                    or blended_cost <> 0
                    or net_unblended_cost <> 0
                    or public_on_demand_cost <> 0
                    or reservation_effective_cost <> 0
                    or savings_plan_effective_cost <> 0
                )
                then 'container share of an instance'
        end as x_exclusion,
        {{ findings([
            ('usage_date < billing_period or usage_date >= next_period', "'usage outside the billing period'", none),
            ('cast(own_billing_period_start as date) <> billing_period', "'line of another billing period'", none),
            (
                'coalesce(line_item_type not in (' ~ quoted_list(known_line_item_types()) ~ '), true)',
                "'unknown line item type'",
                none
            ),
            ('currency_code is null', "'no currency'", none),
            ('split_parent_resource_id is not null and not is_split_row', "'charge that names a parent'", none),
            (
                'is_unamortized_fee and unblended_cost <> 0',
                "'fee that AWS does not amortise'",
                "coalesce(commitment_arn, '')"
            ),
            ('usage_start is null', "'no usage start'", none),
        ]) }} as x_findings,
        findings as x_delivery_findings,

        ---------- money
        coalesce(unblended_cost, 0) as x_delivered_cost,
        line_billed_cost as billed_cost,
        case
            when is_split_row then 0
            when net_is_active then coalesce(line_net_amortized_cost, 0)
            else coalesce(line_amortized_cost, 0)
        end as effective_cost,
        line_list_cost as list_cost,
        line_contracted_cost as contracted_cost,
        line_pricing_quantity as pricing_quantity,
        case when line_pricing_quantity is not null then coalesce(unit, 'Units') end as pricing_unit,
        line_list_unit_price as list_unit_price,
        line_contracted_unit_price as contracted_unit_price,
        -- The bill says what is charged in its own currency only.
        case
            when coalesce(pricing_currency, currency_code) = currency_code then line_list_unit_price
        end as pricing_currency_list_unit_price,
        case
            when coalesce(pricing_currency, currency_code) = currency_code then line_contracted_unit_price
        end as pricing_currency_contracted_unit_price,
        case
            when (coalesce(pricing_currency, currency_code) is distinct from currency_code) or is_split_row then null
            when net_is_active then coalesce(line_net_amortized_cost, 0)
            else coalesce(line_amortized_cost, 0)
        end as pricing_currency_effective_cost,
        case
            when not has_unused_part then 0
            when net_is_active then coalesce(line_net_amortized_cost, 0)
            else coalesce(line_amortized_cost, 0)
        end as x_unused_commitment_cost,
        case
            when not has_unused_part then null
            when line_item_type = 'RIFee' then coalesce(reservation_unused_quantity, 0)
            else unused_commitment
        end as x_unused_commitment_quantity,
        case when is_split_row then 0 else coalesce(blended_cost, 0) end as x_blended_cost,
        case when is_split_row then 0 else coalesce(line_amortized_cost, 0) end as x_amortized_cost,
        line_net_billed_cost as x_net_unblended_cost,
        line_public_on_demand_cost as x_public_on_demand_cost,
        -- Koku's formula, for those who compare with it: reservations are not spread, unused commitment is missing.
        case
            when is_split_row then 0
            when
                line_item_type in (
                    'SavingsPlanCoveredUsage', 'SavingsPlanNegation', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee'
                )
                then coalesce(savings_plan_effective_cost, 0)
            else coalesce(unblended_cost, 0)
        end as x_calculated_amortized_cost,
        cast(0 as decimal(38, 20)) as x_billed_cost_overage,

        ---------- money of containers' shares
        coalesce(split_line_item_split_cost, 0) as x_split_cost,
        coalesce(split_line_item_unused_cost, 0) as x_unused_split_cost,
        case
            when net_is_active then coalesce(split_line_item_net_split_cost, split_line_item_split_cost, 0)
            else coalesce(split_line_item_split_cost, 0)
        end as x_net_split_cost,
        case
            when net_is_active then coalesce(split_line_item_net_unused_cost, split_line_item_unused_cost, 0)
            else coalesce(split_line_item_unused_cost, 0)
        end as x_net_unused_split_cost,
        coalesce(split_line_item_public_on_demand_split_cost, 0) as x_public_on_demand_split_cost,
        coalesce(split_line_item_public_on_demand_unused_cost, 0) as x_public_on_demand_unused_split_cost,

        ---------- quantities: other types' amounts are no usage, or count it again
        case when is_usage and not is_split_row then coalesce(usage_amount, 0) else 0 end as consumed_quantity,
        case when is_usage and not is_split_row then coalesce(normalized_usage_amount, 0) else 0 end
            as x_normalized_usage_amount,
        cast(0 as decimal(38, 20)) as x_consumed_quantity_overage
    from unit_priced
)

select * from final
