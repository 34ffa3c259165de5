{#- No two rows of one `key` hold on the same day (`valid_from` to `valid_to`), and none ends before it begins. -#}
{% test periods_do_not_overlap(model, key) %}
with ordered as (
    select
        {{ key }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ key }} order by valid_from, valid_to) as next_valid_from
    from {{ model }}
)

select * from ordered
where
    next_valid_from <= valid_to
    or valid_to < valid_from
{% endtest %}
