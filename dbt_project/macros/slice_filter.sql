{#-
  The predicate that picks the slices to build. Var `slices` is a list of {source, billing_period}: absent means every
  slice, an empty list means none. It names partition columns only, so that engines skip other slices' files. `table` is
  the name of the table that the columns belong to, where several have them.
-#}
{% macro slice_filter(table=none) -%}
    {%- set slices = var('slices', none) -%}
    {%- set prefix = table ~ '.' if table else '' -%}
    {%- if slices is none -%}
        true
    {%- elif slices | length == 0 -%}
        false
    {%- else -%}
        {%- set by_source = {} -%}
        {%- for slice in slices -%}
            {%- do by_source.setdefault(slice['source'], []).append(
                "date '" ~ (slice['billing_period'] | string) ~ "'"
            ) -%}
        {%- endfor -%}
        (
        {%- for name, periods in by_source.items() -%}
            {{ ' or ' if not loop.first -}}
            ({{ prefix }}source = '{{ name }}' and {{ prefix }}billing_period in ({{ periods | join(', ') }}))
        {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro %}
