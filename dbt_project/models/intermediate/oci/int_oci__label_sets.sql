-- Tags as people compare them: keys as delivered, with their namespaces, sorted.
{{ label_sets(ref('stg_oci__line_items')) }}

select * from final
