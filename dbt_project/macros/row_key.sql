{#- A row's key: the MD5 of its grain's values, parted by a control character that bills do not hold; nulls have their own mark. -#}
{% macro row_key(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce(cast(" ~ column ~ " as varchar), chr(30))") -%}
    {%- endfor -%}
    {#- Put together by one call: `||` copies what it has so far once a column. -#}
    {{ dbt.hash("concat_ws(chr(31), " ~ parts | join(", ") ~ ")") }}
{%- endmacro %}
