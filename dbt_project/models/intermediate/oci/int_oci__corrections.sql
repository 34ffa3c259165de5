-- What corrections refer to, and whether it is there: corrections of rows that arrived in another month's bill are not.
with line_items as (
    select * from {{ ref('stg_oci__line_items') }}
),

references_made as (
    select
        source,
        billing_period,
        tenant_id,
        corrected_reference_no as reference_no,
        count(*) as correction_count
    from line_items
    where
        is_correction
        and corrected_reference_no is not null
    group by source, billing_period, tenant_id, corrected_reference_no
),

-- A correction may bear the number of the row that it corrects; it is not what it corrects.
corrected_lines as (
    select
        source,
        billing_period,
        tenant_id,
        reference_no,
        count(*) as line_item_count
    from line_items
    where coalesce(corrected_reference_no <> reference_no, true)
    group by source, billing_period, tenant_id, reference_no
),

final as (
    select
        references_made.source,
        references_made.billing_period,
        references_made.tenant_id,
        references_made.reference_no,
        references_made.correction_count,
        coalesce(corrected_lines.line_item_count, 0) as corrected_line_item_count
    from references_made
    left join corrected_lines
        on
            references_made.source = corrected_lines.source
            and references_made.billing_period = corrected_lines.billing_period
            and references_made.tenant_id = corrected_lines.tenant_id
            and references_made.reference_no = corrected_lines.reference_no
)

select * from final
