{#- Every row of every bill as FOCUS 1.2. What a provider's bill does not say of names and categories is filled in here, once. -#}
with all_rows as (
    {%- for kind in bill_kinds() %}
    select
        '{{ kind }}' as bill_kind,
        *
    from {{ ref('int_' ~ kind ~ '__focus_rows') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

labels as (
    select * from {{ ref('int_costs__focus_labels') }}
),

categories as (
    select
        listed.service,
        listed.category,
        listed.subcategory
    from (
        values
        {%- for category, subcategories in focus_service_categories().items() %}
        {%- set last_category = loop.last %}
        {%- for subcategory, services in subcategories.items() %}
        {%- set last_subcategory = loop.last %}
        {%- for service in services %}
        ('{{ service }}', '{{ category }}', '{{ subcategory }}'){{ ',' if not (last_category and last_subcategory and loop.last) }}
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
    ) as listed (service, category, subcategory)
),

{%- set filled = {
    'billing_account_name': 'coalesce(all_rows.billing_account_name, all_rows.billing_account_id)',
    'sub_account_name': 'coalesce(all_rows.sub_account_name, all_rows.sub_account_id)',
    'service_category': "coalesce(all_rows.service_category, categories.category, 'Other')",
    'service_subcategory':
        "coalesce(all_rows.service_subcategory, case when all_rows.service_category is null then categories.subcategory end,"
        ~ " 'Other (' || coalesce(all_rows.service_category, 'Other') || ')')",
    'tags': "case all_rows.bill_kind when 'aws' then tag_labels.labels_without_prefix else tag_labels.labels end",
    'x_cost_categories': 'category_labels.labels',
} %}

final as (
    select
        all_rows.source,
        all_rows.billing_period,
        all_rows.delivery_id,
        all_rows.file_name,
        all_rows.row_number,
        {%- for column, type in focus_1_2_columns().items() %}
        cast({{ filled.get(column, 'all_rows.' ~ column) }} as {{ type }}) as {{ column }},
        {%- endfor %}
        all_rows.x_part,
        {%- for column, type in focus_own_columns().items() %}
        cast({{ filled.get(column, 'all_rows.' ~ column) }} as {{ type }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from all_rows
    left join categories
        on case all_rows.bill_kind when 'aws' then all_rows.x_service_code else all_rows.service_name end = categories.service
    left join labels as tag_labels on all_rows.tags = tag_labels.label_text
    left join labels as category_labels on all_rows.x_cost_categories = category_labels.label_text
)

select * from final
