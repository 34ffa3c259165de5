-- Tags as people compare them: keys as delivered, with the provider's prefixes, sorted.
{{ label_sets(ref('stg_focus__line_items'), ref('int_focus__slices')) }}

select * from final
