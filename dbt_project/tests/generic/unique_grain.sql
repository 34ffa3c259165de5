{#- No two rows of the slices being built have the same values in `columns`; null is a value. -#}
{% test unique_grain(model, columns, column_name=none) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
where {{ slice_filter() }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
