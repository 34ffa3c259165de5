{#-
  Incremental strategy `replace_slice`: the slices of var `slices` are taken out of the table and the newly built rows put in,
  so that a slice that became empty is emptied too. The table needs `source`, `billing_period` and, where MERGE is used, a
  unique row key (config `unique_key`).
-#}
{% macro get_incremental_replace_slice_sql(arg_dict) -%}
    {{ return(adapter.dispatch('get_incremental_replace_slice_sql', 'cost_lakehouse')(arg_dict)) }}
{%- endmacro %}

{#- One statement, so that an Iceberg table gets one snapshot: the old rows come in as source rows that match themselves. -#}
{% macro default__get_incremental_replace_slice_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set new_columns = [] -%}
    {%- for column in arg_dict['dest_columns'] -%}{%- do new_columns.append('new.' ~ column.quoted) -%}{%- endfor -%}
    {%- set key = arg_dict['unique_key'] -%}
    merge into {{ arg_dict['target_relation'] }} as old
    using (
        select {{ columns }}, cast(null as varchar) as replaced_key
        from {{ arg_dict['temp_relation'] }}
        union all
        select {{ columns }}, {{ key }} as replaced_key
        from {{ arg_dict['target_relation'] }}
        where {{ slice_filter() }}
    ) as new
    on {{ slice_filter('old') }}
        and old.{{ key }} = new.replaced_key
    when matched then delete
    when not matched then insert ({{ columns }}) values ({{ new_columns | join(', ') }})
{%- endmacro %}

{#- Delete and insert, in the transaction that dbt-duckdb opens around the materialisation. -#}
{% macro duckdb__get_incremental_replace_slice_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }} where {{ slice_filter() }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{#- Named after the invocation, so that two builds in one schema do not take each other's. -#}
{% macro trino__make_temp_relation(base_relation, suffix) -%}
    {{ return(base_relation.incorporate(path={'identifier': base_relation.identifier ~ suffix ~ '_' ~ invocation_id[:8]})) }}
{%- endmacro %}
