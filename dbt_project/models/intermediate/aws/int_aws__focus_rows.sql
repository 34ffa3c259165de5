-- AWS's lines as FOCUS 1.2 counts them. A fee that spreads a commitment is two rows: its purchase, which costs nothing
-- effectively, and its unused part, which is not billed. What a Savings Plan takes back is folded into the lines it covered;
-- where the two do not cancel out, the rest is an adjustment of that commitment, so that no cent is lost. Containers' shares have
-- no place before FOCUS 1.3.
{%- set usage = "charge_category = 'Usage' and charge_class is null" %}
{%- set of_a_commitment = "charge_category = 'Purchase' and commitment_discount_id is not null" %}
{%- set nothing = 'cast(null as varchar)' %}
{%- set no_amount = 'cast(null as decimal(38, 20))' %}
{%- set unused = 'x_unused_commitment_cost' %}
{%- set unused_quantity = '(case when x_unused_commitment_quantity <> 0 then x_unused_commitment_quantity else 1 end)' %}
{%- set unused_price = unit_price(unused, unused_quantity) %}
{#- Three reads of the same lines, each with the columns that it needs: put into one part, all would be worked out for all. -#}
{%- set lines = ref('int_aws__costs') %}
with line_rows as (
    {{ focus_row(lines, 'line', {
        'billed_cost': "case when x_line_item_type = 'SavingsPlanCoveredUsage' then 0 else billed_cost end",
        'effective_cost': 'effective_cost - ' ~ unused,
        'pricing_currency_effective_cost': 'pricing_currency_effective_cost - ' ~ unused,
        'x_amortized_cost': "case when x_unused_commitment_cost <> 0 then 0 else x_amortized_cost end",
        'resource_id': 'case when ' ~ of_a_commitment ~ ' then commitment_discount_id else resource_id end',
        'resource_type': 'case when ' ~ of_a_commitment ~ ' then commitment_discount_type else resource_type end',
        'consumed_quantity':
            "case when " ~ usage ~ " then case when x_line_item_type = 'FlatRateSubscription' then pricing_quantity"
            ~ " else consumed_quantity end end",
        'consumed_unit': 'case when ' ~ usage ~ " then " ~ focus_unit("coalesce(consumed_unit, 'Units')") ~ " end",
        'pricing_unit': focus_unit('pricing_unit'),
        'pricing_category': 'case when pricing_quantity is not null then pricing_category end',
    }, "not x_is_container_share and coalesce(x_line_item_type <> 'SavingsPlanNegation', true)") }}
),

unused_rows as (
    {{ focus_row(lines, 'unused', {
        'charge_category': "'Usage'",
        'charge_frequency': "'Usage-Based'",
        'pricing_category': "'Committed'",
        'commitment_discount_status': "'Unused'",
        'commitment_discount_quantity': 'x_unused_commitment_quantity',
        'resource_id': 'commitment_discount_id',
        'resource_type': 'commitment_discount_type',
        'billed_cost': 'cast(0 as decimal(38, 20))',
        'effective_cost': unused,
        'list_cost': unused,
        'contracted_cost': unused,
        'pricing_currency_effective_cost': 'case when pricing_currency_effective_cost is not null then ' ~ unused ~ ' end',
        'pricing_quantity': unused_quantity,
        'pricing_unit': 'coalesce(commitment_discount_unit, ' ~ focus_unit('pricing_unit') ~ ')',
        'list_unit_price': unused_price,
        'contracted_unit_price': unused_price,
        'pricing_currency_list_unit_price':
            'case when pricing_currency_list_unit_price is not null then '
            ~ unused_price ~ ' end',
        'pricing_currency_contracted_unit_price':
            'case when pricing_currency_contracted_unit_price is not null then '
            ~ unused_price ~ ' end',
        'consumed_quantity': no_amount,
        'consumed_unit': nothing,
        'x_net_unblended_cost': 'cast(0 as decimal(38, 20))',
        'x_blended_cost': 'cast(0 as decimal(38, 20))',
    }, "x_line_item_type in ('RIFee', 'SavingsPlanRecurringFee') and not x_is_container_share and x_unused_commitment_cost <> 0") }}
),

-- Covered usage and what takes it back cancel out, commitment by commitment, but for what AWS rounds.
left_over as (
    select
        source,
        billing_period,
        delivery_id,
        billing_account_id,
        billing_currency,
        invoice_id,
        commitment_discount_id,
        any_value(pricing_currency) as pricing_currency,
        sum(billed_cost) as billed_cost,
        sum(effective_cost) filter (where x_line_item_type = 'SavingsPlanNegation') as effective_cost,
        sum(x_blended_cost) filter (where x_line_item_type = 'SavingsPlanNegation') as x_blended_cost,
        {%- for column in [
            'x_provider', 'provider_name', 'publisher_name', 'invoice_issuer_name', 'billing_account_name', 'billing_account_type',
            'billing_period_start', 'billing_period_end', 'commitment_discount_category', 'commitment_discount_type',
        ] %}
        max({{ column }}) as {{ column }},
        {%- endfor %}
        min(charge_period_start) as charge_period_start,
        max(charge_period_end) as charge_period_end
    from {{ lines }}
    where
        x_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
        and not x_is_container_share
    group by
        source, billing_period, delivery_id, billing_account_id, billing_currency, invoice_id, commitment_discount_id
    having sum(billed_cost) <> 0 or sum(effective_cost) filter (where x_line_item_type = 'SavingsPlanNegation') <> 0
),

-- Such a row stands for several lines: it is of no file.
spread as (
    select
        left_over.*,
        cast(null as varchar) as file_name,
        cast(null as bigint) as row_number,
        'Adjustment' as charge_category,
        'One-Time' as charge_frequency,
        'What usage covered by the Savings Plan and its negation differ by' as charge_description,
        'Savings Plans' as service_name,
        'ComputeSavingsPlans' as x_service_code,
        '{}' as tags,
        '{}' as x_cost_categories,
        'SavingsPlanNegation' as x_line_item_type,
        commitment_discount_id as resource_id,
        commitment_discount_type as resource_type
    from left_over
),

left_over_rows as (
    {%- set there = [
        'billing_account_id', 'billing_account_name', 'billing_account_type', 'billing_currency', 'billing_period_end',
        'billing_period_start', 'charge_category', 'charge_description', 'charge_frequency', 'charge_period_end',
        'charge_period_start', 'commitment_discount_category', 'commitment_discount_id', 'commitment_discount_type',
        'billed_cost', 'invoice_id', 'invoice_issuer_name', 'pricing_currency', 'provider_name', 'publisher_name', 'resource_id',
        'resource_type', 'service_name', 'tags', 'x_provider', 'x_line_item_type', 'x_service_code', 'x_cost_categories',
        'x_blended_cost',
    ] %}
    {%- set changed = {
        'list_cost': 'billed_cost', 'contracted_cost': 'billed_cost', 'effective_cost': 'coalesce(effective_cost, 0)',
        'x_net_unblended_cost': 'billed_cost', 'x_amortized_cost': 'cast(0 as decimal(38, 20))',
        'pricing_currency_effective_cost':
            'case when (pricing_currency is not distinct from billing_currency) then coalesce(effective_cost, 0) end',
        'x_billed_cost_overage': 'cast(0 as decimal(38, 20))',
    } %}
    {%- for columns in [focus_1_2_columns(), focus_own_columns()] %}
    {%- for column, type in columns.items() if column not in there and column not in changed %}
    {%- do changed.update({column: 'cast(null as ' ~ type ~ ')'}) %}
    {%- endfor %}
    {%- endfor %}
    {{ focus_row('spread', 'left over', changed) }}
)

select * from line_rows
union all
select * from unused_rows
union all
select * from left_over_rows
