-- Tags as people compare them: keys as delivered, with the provider's prefixes, sorted.
{{ label_sets(ref('stg_focus__line_items')) }}

select * from final
