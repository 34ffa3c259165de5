-- The currency of rows that name none: OCI leaves it out where a row costs nothing. What else was billed to the same
-- subscription of the tenancy tells it, or to the tenancy, as long as that is one currency only.
with line_items as (
    select * from {{ ref('stg_oci__line_items') }}
),

subscriptions as (
    select
        source,
        billing_period,
        tenant_id,
        subscription_id,
        count(distinct currency_code) as currency_count,
        max(currency_code) as currency_code
    from line_items
    group by source, billing_period, tenant_id, subscription_id
),

tenancies as (
    select
        source,
        billing_period,
        tenant_id,
        count(distinct currency_code) as currency_count,
        max(currency_code) as currency_code
    from line_items
    group by source, billing_period, tenant_id
),

final as (
    select
        subscriptions.source,
        subscriptions.billing_period,
        subscriptions.tenant_id,
        subscriptions.subscription_id,
        case
            when subscriptions.currency_count = 1 then subscriptions.currency_code
            when subscriptions.currency_count = 0 and tenancies.currency_count = 1 then tenancies.currency_code
        end as currency_code
    from subscriptions
    inner join tenancies
        on
            subscriptions.source = tenancies.source
            and subscriptions.billing_period = tenancies.billing_period
            and coalesce(subscriptions.tenant_id, '') = coalesce(tenancies.tenant_id, '')
)

select * from final
