{%- set parts = invoice_parts() %}
-- An invoice beside the bill is made of both: the lines that name it, and the documents themselves.
with documents as (
    select
        invoices.*,
        {{ invoice_key('slices.bill_kind', 'invoices.invoice_id') }} as invoice_key
    from {{ ref('int_costs__slices') }} as slices
    inner join {{ source('raw', 'invoices') }} as invoices
        on
            slices.source = invoices.source
            and slices.billing_period = invoices.billing_period
),

invoiced as (
    select
        source,
        billing_period,
        invoice_key,
        currency_code,
        {{ joined_text('invoice_id') }} as invoice_ids,
        count(*) = count(before_tax) as tells_tax
    from documents
    group by 1, 2, 3, 4
),

keyed as (
    select
        lines.*,
        {{ invoice_key('lines.x_bill_kind', 'lines.invoice_id') }} as invoice_key
    from ({{ explained_lines() }}) as lines
),

billed as (
    select
        keyed.*,
        invoiced.invoice_ids
    from keyed
    left join invoiced
        on
            keyed.source = invoiced.source
            and keyed.billing_period = invoiced.billing_period
            and keyed.invoice_key = invoiced.invoice_key
            and keyed.billing_currency = invoiced.currency_code
    where
        invoiced.source is not null
        or keyed.invoice_key <> ''
)

select
    {{ line_place() }},
    source,
    billing_period,
    coalesce(invoice_ids, invoice_key) as mart_invoice_id,
    billing_currency as currency_code,
    cast(0 as decimal(38, 20)) as invoice_total,
    cast(0 as decimal(38, 20)) as invoice_before_tax,
    billed_cost,
    case when invoice_ids is not null then billed_cost else 0 end as difference,
    {%- for column, (lines, _) in parts.items() %}
    case when {{ lines }} then billed_cost else 0 end as {{ column }},
    {%- endfor %}
    line_item_count
from billed
union all
select
    cast(null as varchar) as file_name,
    cast(null as bigint) as row_number,
    documents.issued_date as line_date,
    documents.account_id as line_account,
    documents.entity as line_service,
    documents.invoice_type as line_type,
    documents.invoice_id || ' of ' || documents.origin as line_description,
    'invoice_document' as line_rule,
    cast(null as varchar) as line_exclusion,
    documents.total as line_delivered_cost,
    documents.source,
    documents.billing_period,
    invoiced.invoice_ids as mart_invoice_id,
    documents.currency_code,
    documents.total as invoice_total,
    case when invoiced.tells_tax then documents.before_tax else 0 end as invoice_before_tax,
    cast(0 as decimal(38, 20)) as billed_cost,
    -documents.total as difference,
    {%- for column in parts %}
    cast(0 as decimal(38, 20)) as {{ column }},
    {%- endfor %}
    0 as line_item_count
from documents
inner join invoiced
    on
        documents.source = invoiced.source
        and documents.billing_period = invoiced.billing_period
        and documents.invoice_key = invoiced.invoice_key
        and documents.currency_code = invoiced.currency_code
