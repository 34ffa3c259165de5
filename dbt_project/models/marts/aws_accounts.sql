{{ config(materialized='table', tags=['account_names'], properties={'partitioning': 'array[]'}) }}
{#- The first row of an account holds since ever: nothing older is known of it, and older costs are to have a name. -#}
{%- set beginning, end = "date '1970-01-01'", "date '9999-12-31'" %}
with sightings as (
    select * from {{ ref('stg_aws__accounts') }}
),

-- What one organisation says of an account holds until it says something else.
periods as (
    select
        *,
        lead(seen_on) over (partition by organization_id, account_id order by seen_on) as next_seen_on
    from sightings
),

days as (
    select distinct
        account_id,
        seen_on as day
    from sightings
),

-- An account is in one organisation at a time. Where two have it (it moved, and the old one was not read since), the one that
-- said something new last is right; an organisation that lost it says nothing of the others.
candidates as (
    select
        days.account_id,
        days.day,
        periods.organization_id,
        periods.seen_at,
        row_number() over (
            partition by days.account_id, days.day
            order by periods.seen_at desc, periods.organization_id asc
        ) as preference
    from days
    inner join periods
        on
            days.account_id = periods.account_id
            and days.day >= periods.seen_on
            and (periods.next_seen_on is null or days.day < periods.next_seen_on)
            and not periods.is_gone
),

chosen as (
    select
        days.account_id,
        days.day,
        candidates.organization_id,
        candidates.seen_at,
        row_number() over (partition by days.account_id order by days.day) as nth_day,
        lag(candidates.organization_id) over (partition by days.account_id order by days.day) as organization_id_before,
        lag(candidates.seen_at) over (partition by days.account_id order by days.day) as seen_at_before
    from days
    left join candidates
        on
            days.account_id = candidates.account_id
            and days.day = candidates.day
            and candidates.preference = 1
),

-- Days on which it became another row, or none.
turns as (
    select
        account_id,
        day,
        organization_id,
        seen_at,
        nth_day,
        lead(day) over (partition by account_id order by day) as next_day
    from chosen
    where
        nth_day = 1
        or organization_id is distinct from organization_id_before
        or seen_at is distinct from seen_at_before
),

of_organizations as (
    select
        periods.account_id,
        periods.account_name,
        periods.account_state,
        periods.organizational_unit,
        periods.organizational_unit_path,
        periods.organizational_unit_id,
        periods.organizational_unit_id_path,
        periods.tags,
        periods.organization_id,
        periods.management_account_id,
        periods.joined_at,
        periods.organization as origin,
        case when turns.nth_day = 1 then {{ beginning }} else turns.day end as valid_from,
        coalesce(cast(turns.next_day - interval '1' day as date), {{ end }}) as valid_to,
        periods.seen_at
    from turns
    inner join periods
        on
            turns.account_id = periods.account_id
            and turns.organization_id = periods.organization_id
            and turns.seen_at = periods.seen_at
),

-- Names of the user's own: only for accounts that no organisation has named.
of_the_seed as (
    select
        seed.account_id,
        seed.account_name,
        cast(null as varchar) as account_state,
        nullif(trim(seed.organizational_unit), '') as organizational_unit,
        nullif(trim(seed.organizational_unit_path), '') as organizational_unit_path,
        cast(null as varchar) as organizational_unit_id,
        cast(null as varchar) as organizational_unit_id_path,
        case when nullif(trim(seed.tags), '') is not null then {{ map_to_json(json_to_map('seed.tags')) }} end as tags,
        cast(null as varchar) as organization_id,
        cast(null as varchar) as management_account_id,
        cast(null as timestamp) as joined_at,
        'seed' as origin,
        coalesce(cast(nullif(trim(seed.valid_from), '') as date), {{ beginning }}) as valid_from,
        coalesce(cast(nullif(trim(seed.valid_to), '') as date), {{ end }}) as valid_to,
        cast(null as timestamp) as seen_at
    from {{ ref('aws_account_names') }} as seed
    left join (select distinct account_id from of_organizations) as seen on seed.account_id = seen.account_id
    where seen.account_id is null
),

together as (
    select * from of_organizations
    union all
    select * from of_the_seed
)

select
    {{ row_key(['account_id', 'valid_from']) }} as aws_accounts_id,
    account_id,
    account_name,
    account_state,
    organizational_unit,
    organizational_unit_path,
    organizational_unit_id,
    organizational_unit_id_path,
    tags,
    organization_id,
    management_account_id,
    joined_at,
    origin,
    valid_from,
    valid_to,
    valid_to = {{ end }} as is_current,
    seen_at
from together
