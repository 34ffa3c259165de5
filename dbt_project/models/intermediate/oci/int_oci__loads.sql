-- The accepted loads of each month of OCI's cost reports.
{{ increment_loads('raw.oci_cost', ref('stg_oci__line_items')) }}

select * from final
