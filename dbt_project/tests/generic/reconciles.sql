{#- Every row's difference is exactly 0; failing rows show expected and actual. -#}
{% test reconciles(model, difference) %}
select * from {{ model }}
where {{ difference }} <> 0 or {{ difference }} is null
{% endtest %}
