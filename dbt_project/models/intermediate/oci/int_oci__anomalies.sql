-- What is odd about a bill without being wrong: counted with its cost and one example, never dropped.
with line_items as (
    select * from {{ ref('int_oci__line_item_costs') }}
    where {{ slice_filter() }}
),

corrections as (
    select * from {{ ref('int_oci__corrections') }}
    where {{ slice_filter() }}
),

flagged as (
    select
        line_items.*,
        line_items.currency_code is null as has_no_currency,
        line_items.is_correction and coalesce(corrections.corrected_line_item_count, 0) = 0 as corrects_nothing_here
    from line_items
    left join corrections
        on
            line_items.source = corrections.source
            and line_items.billing_period = corrections.billing_period
            and line_items.tenant_id = corrections.tenant_id
            and line_items.corrected_reference_no = corrections.reference_no
),

named as (
    {%- for flag, reason in [
        ('has_no_currency', 'no currency'),
        ('corrects_nothing_here', 'correction of a row that is not in the bill'),
        ('is_voided', 'replaced by a correction'),
    ] %}
    select
        source,
        billing_period,
        delivery_id,
        '{{ reason }}' as reason,
        is_correction,
        currency_code,
        delivered_cost,
        file_name,
        row_number
    from flagged
    where {{ flag }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        source,
        billing_period,
        delivery_id,
        reason,
        case when is_correction then 'Correction' else 'Usage' end as line_item_type,
        currency_code,
        count(*) as line_item_count,
        sum(delivered_cost) as amount,
        min_by(file_name, file_name || lpad(cast(row_number as varchar), 12, '0')) as example_file_name,
        min_by(row_number, file_name || lpad(cast(row_number as varchar), 12, '0')) as example_row_number
    from named
    group by source, billing_period, delivery_id, reason, is_correction, currency_code
)

select * from final
