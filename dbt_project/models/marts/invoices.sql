{%- set kinds = invoice_parts() -%}
-- depends_on: {{ ref('int_costs__reconciliation') }} (what does not tie to the raw bill is not published)
-- depends_on: {{ ref('int_costs__receipts_reconciliation') }}
-- Each invoice beside the lines of the bill that name it. Oracle's reports name none: there a month's invoices together are compared
-- with the whole month.
with slices as (
    select * from {{ ref('int_costs__slices') }}
),

invoiced as (
    select
        slices.source,
        slices.billing_period,
        slices.delivery_id,
        {{ invoice_key('slices.bill_kind', 'invoices.invoice_id') }} as invoice_key,
        invoices.currency_code,
        {{ joined_text('invoices.invoice_id') }} as invoice_ids,
        {{ joined_text('invoices.account_id') }} as account_id,
        {{ joined_text('invoices.invoice_type') }} as invoice_type,
        {{ joined_text('invoices.bill_type') }} as bill_type,
        {{ joined_text('invoices.entity') }} as entity,
        {{ joined_text('invoices.original_invoice_id') }} as original_invoice_id,
        max(invoices.issued_date) as issued_date,
        max(invoices.due_date) as due_date,
        max(invoices.recorded_at) as recorded_at,
        sum(invoices.total) as invoice_total,
        case when count(*) = count(invoices.before_tax) then sum(invoices.before_tax) end as invoice_before_tax
    from slices
    inner join {{ source('raw', 'invoices') }} as invoices
        on
            slices.source = invoices.source
            and slices.billing_period = invoices.billing_period
    group by 1, 2, 3, 4, 5
),

billed as (
    select
        source,
        billing_period,
        delivery_id,
        coalesce(invoice_id, '') as invoice_key,
        billing_currency as currency_code,
        {%- for column, (lines, _) in kinds.items() %}
        coalesce(sum(billed_cost) filter (where {{ lines }}), 0) as {{ column }},
        {%- endfor %}
        sum(billed_cost) as billed_cost,
        cast(sum(line_item_count) as bigint) as line_item_count,
        -- An invoice has a line for each of these, in whole cents.
        cast(count(distinct {{ row_key([
            'sub_account_id', 'x_line_item_type', 'x_service_code', 'service_name', 'region_id', 'sku_meter', 'consumed_unit'
        ]) }}) as bigint) as charge_count
    from {{ ref('int_costs__daily_summary') }}
    where
        invoice_id is not null
        or x_bill_kind = 'oci'
    group by 1, 2, 3, 4, 5
),

compared as (
    select
        coalesce(invoiced.source, billed.source) as source,
        coalesce(invoiced.billing_period, billed.billing_period) as billing_period,
        coalesce(invoiced.delivery_id, billed.delivery_id) as delivery_id,
        coalesce(invoiced.invoice_ids, billed.invoice_key) as invoice_id,
        coalesce(invoiced.currency_code, billed.currency_code) as currency_code,
        invoiced.account_id,
        invoiced.invoice_type,
        invoiced.bill_type,
        invoiced.entity,
        invoiced.original_invoice_id,
        invoiced.issued_date,
        invoiced.due_date,
        invoiced.recorded_at,
        invoiced.invoice_total,
        invoiced.invoice_before_tax,
        {%- for column in kinds %}
        coalesce(billed.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        coalesce(billed.billed_cost, 0) as billed_cost,
        coalesce(billed.line_item_count, 0) as line_item_count,
        coalesce(billed.charge_count, 0) as charge_count,
        billed.source is not null as has_rows
    from invoiced
    full outer join billed
        on
            invoiced.source = billed.source
            and invoiced.billing_period = billed.billing_period
            and invoiced.invoice_key = billed.invoice_key
            and invoiced.currency_code = billed.currency_code
    where
        invoiced.source is not null
        or billed.invoice_key <> ''
),

-- AWS rounds each line of an invoice to cents: at most half a cent a line is its rounding.
measured as (
    select
        *,
        billed_cost - invoice_total as difference,
        cast({{ var('invoice_allowance_per_charge', '0.005') }} as decimal(38, 20)) * charge_count as allowance
    from compared
),

final as (
    select
        source,
        billing_period,
        delivery_id,
        invoice_id,
        account_id,
        invoice_type,
        bill_type,
        entity,
        original_invoice_id,
        issued_date,
        due_date,
        currency_code,
        invoice_total,
        invoice_before_tax,
        billed_cost,
        cast(difference as decimal(38, 20)) as difference,
        cast(allowance as decimal(38, 20)) as allowance,
        case
            when invoice_total is null then 'no invoice'
            when not has_rows then 'no rows'
            when abs(difference) <= allowance then 'agrees'
            else 'differs'
        end as state,
        case
            when invoice_total is null or not has_rows or abs(difference) <= allowance then null
            when abs(billed_cost - invoice_before_tax) <= allowance then 'tax: the bill has none of it, and agrees with the invoice before tax'
            {%- for column, (_, explanation) in kinds.items() %}
            when {{ column }} <> 0 and abs(difference - {{ column }}) <= allowance then '{{ explanation }}'
            {%- endfor %}
        end as explanation,
        {%- for column in kinds %}
        {{ column }},
        {%- endfor %}
        line_item_count,
        charge_count,
        recorded_at
    from measured
)

select
    {{ row_key(['source', 'billing_period', 'invoice_id', 'currency_code']) }} as invoices_id,
    *
from final
