{#-
  Every text of tags and cost categories that lines of the bills have, once each, and whether its keys get AWS's snake form: the
  text is what `int_<provider>__costs` writes, by which a line's set is found again.
-#}
{% macro label_texts() -%}
    {%- for kind in bill_kinds() %}
    select
        {{ map_to_text('resource_tags' if kind == 'aws' else 'tags') }} as label_text,
        {{ 'true' if kind == 'aws' else 'false' }} as is_snake_case
    from {{ ref('stg_' ~ kind ~ '__line_items') }}
    {{ 'union' if not loop.last }}
    {%- endfor %}
    {%- if 'aws' in bill_kinds() %}
    union
    select
        {{ map_to_text('cost_categories') }} as label_text,
        true as is_snake_case
    from {{ ref('stg_aws__line_items') }}
    {%- endif %}
{%- endmacro %}
