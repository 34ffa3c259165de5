{#- None of `columns` is null in any row: one test a model, however many columns. -#}
{% test no_nulls(model, columns) %}
select * from {{ model }}
where
    {%- for column in columns %}
    {{ 'or ' if not loop.first }}{{ column }} is null
    {%- endfor %}
{% endtest %}
