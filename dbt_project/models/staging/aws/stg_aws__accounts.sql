{{ config(tags=['account_names']) }}
with changes as (
    select * from {{ source('raw', 'aws_accounts') }}
),

-- A day has one name: the last that was seen on it.
numbered as (
    select
        *,
        row_number() over (
            partition by organization_id, account_id, cast(seen_at as date)
            order by seen_at desc
        ) as from_the_last
    from changes
)

select
    source as organization,
    organization_id,
    management_account_id,
    account_id,
    cast(seen_at as date) as seen_on,
    seen_at,
    is_gone,
    account_name,
    account_state,
    joined_at,
    unit_id as organizational_unit_id,
    unit_id_path as organizational_unit_id_path,
    unit_name as organizational_unit,
    unit_path as organizational_unit_path,
    case when tags is not null then {{ map_to_json('tags') }} end as tags
from numbered
where from_the_last = 1
