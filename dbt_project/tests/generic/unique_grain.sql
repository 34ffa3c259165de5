{#- No two rows have the same values in `columns`; null is a value. -#}
{% test unique_grain(model, columns, column_name=none) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
