{%- set amounts = [] -%}
{%- for columns in [focus_1_2_columns(), focus_own_columns()] -%}
{%- for column, type in columns.items() if type.startswith('decimal') -%}{%- do amounts.append(column) -%}{%- endfor -%}
{%- endfor -%}
-- A row of FOCUS is a line, or the unused part of one; what covered usage and its negation differ by stands for all lines of that
-- commitment. Such a row is of no file: its lines are found by what they are added up by.
with lines as (
    select * from {{ ref('int_costs__lines') }}
),

focus_rows as (
    {%- for kind in bill_kinds() %}
    select
        source,
        billing_period,
        file_name,
        row_number,
        x_part,
        {%- for column in amounts %}
        {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_' ~ kind ~ '__focus_rows') }}
    where x_part <> 'left over'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

placed as (
    select
        lines.file_name,
        lines.row_number,
        lines.charge_description as x_description,
        lines.x_service_code as x_code,
        lines.service_name as x_service,
        lines.x_usage_date,
        lines.sub_account_id,
        lines.x_line_item_type,
        lines.x_cost_rule,
        lines.x_exclusion,
        lines.x_delivered_cost,
        lines.source,
        lines.billing_period,
        lines.billing_account_id,
        lines.billing_currency,
        lines.invoice_id,
        lines.commitment_discount_id,
        lines.file_name as mart_file_name,
        lines.row_number as mart_row_number,
        focus_rows.x_part,
        {%- for column in amounts %}
        coalesce(focus_rows.{{ column }}, 0) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from lines
    inner join focus_rows
        on
            lines.source = focus_rows.source
            and lines.billing_period = focus_rows.billing_period
            and lines.file_name = focus_rows.file_name
            and lines.row_number = focus_rows.row_number
),

left_over as (
    select
        file_name,
        row_number,
        charge_description as x_description,
        x_service_code as x_code,
        service_name as x_service,
        x_usage_date,
        sub_account_id,
        x_line_item_type,
        x_cost_rule,
        x_exclusion,
        x_delivered_cost,
        source,
        billing_period,
        billing_account_id,
        billing_currency,
        invoice_id,
        commitment_discount_id,
        cast(null as varchar) as mart_file_name,
        cast(null as bigint) as mart_row_number,
        'left over' as x_part,
        {%- for column in amounts %}
        {%- if column in ['billed_cost', 'list_cost', 'contracted_cost', 'x_net_unblended_cost'] %}
        billed_cost as {{ column }}{{ ',' if not loop.last }}
        {%- elif column == 'effective_cost' %}
        case when x_line_item_type = 'SavingsPlanNegation' then effective_cost else 0 end as {{ column }}{{ ',' if not loop.last }}
        {%- elif column == 'pricing_currency_effective_cost' %}
        case
            when x_line_item_type = 'SavingsPlanNegation' and (pricing_currency is not distinct from billing_currency)
                then effective_cost
            else 0
        end as {{ column }}{{ ',' if not loop.last }}
        {%- elif column == 'x_blended_cost' %}
        case when x_line_item_type = 'SavingsPlanNegation' then x_blended_cost else 0 end as {{ column }}{{ ',' if not loop.last }}
        {%- else %}
        cast(0 as decimal(38, 20)) as {{ column }}{{ ',' if not loop.last }}
        {%- endif %}
        {%- endfor %}
    from lines
    where
        x_bill_kind = 'aws'
        and not x_is_container_share
        and x_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
),

every_line as (
    select * from placed
    union all
    select * from left_over
)

select
    {{ line_place() }},
    source,
    billing_period,
    billing_account_id,
    billing_currency,
    invoice_id,
    commitment_discount_id,
    mart_file_name,
    mart_row_number,
    x_part,
    {%- for column in amounts %}
    {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from every_line
