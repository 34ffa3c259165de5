{#- The model has no rows, or none that meet `condition`. -#}
{% test has_no_rows(model, condition='true') %}
select * from {{ model }}
where {{ condition }}
{% endtest %}
