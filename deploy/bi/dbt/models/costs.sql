-- Made by docs/make_semantic_layer.py; change what that reads, not this file.
select
    nullif(mart.source, '') as source,
    nullif('aws', '') as provider,
    nullif(mart.usage_account_id, '') as account,
    coalesce(nullif(accounts.account_name, ''), nullif(mart.usage_account_name, '')) as account_name,
    nullif(accounts.organizational_unit, '') as unit,
    nullif(accounts.organizational_unit_path, '') as unit_path,
    nullif(accounts.organizational_unit_id_path, '') as unit_ids,
    nullif(mart.payer_account_id, '') as payer,
    cast(null as varchar) as writer,
    nullif(mart.product_code, '') as service,
    nullif(mart.region, '') as region,
    nullif(mart.availability_zone, '') as zone,
    nullif(substr(cast(mart.billing_period as varchar), 1, 7), '') as bill_month,
    nullif(mart.currency_code, '') as billing_currency,
    nullif(mart.line_item_type, '') as type,
    nullif(mart.purchase_option, '') as purchase_option,
    nullif(mart.commitment_arn, '') as commitment,
    nullif(mart.product_family, '') as product_family,
    nullif(mart.instance_type, '') as instance_type,
    nullif(case when mart.usage_type like '%Bytes' then 'Network' when mart.usage_type like '%EBS:%' then 'Storage' when mart.product_code in ('AWSELB', 'AWSGlue', 'AmazonRoute53', 'AmazonVPC', 'AmazonCloudFront') then 'Network' when mart.product_code in ('AmazonEC2', 'AWSLambda', 'AmazonElastiCache', 'AmazonECS') then 'Compute' when mart.product_code in ('AmazonEKS') then 'Management' when mart.product_code in ('AmazonS3', 'AmazonAthena', 'AmazonRDS', 'AmazonDynamoDB', 'AWSSecretsManager', 'AmazonFSx', 'AmazonEFS') then 'Storage' else 'Other' end, '') as category,
    nullif(mart.usage_type, '') as usage_type,
    nullif(mart.unit, '') as usage_unit,
    nullif(mart.operation, '') as operation,
    nullif(mart.invoice_id, '') as invoice,
    cast(null as varchar) as compartment,
    mart.usage_date,
    mart.billing_period,
    mart.currency_code,
    mart.tags,
    mart.unblended_cost as billed_cost,
    mart.net_amortized_cost as effective_cost,
    mart.public_on_demand_cost as list_cost,
    mart.net_unblended_cost as net_cost,
    mart.amortized_cost as amortized_cost,
    mart.blended_cost as blended_cost,
    mart.line_item_count
from {{ source('marts', 'aws_daily_summary') }} as mart
left join {{ source('marts', 'aws_accounts') }} as accounts
    on
        accounts.account_id = mart.usage_account_id
        and mart.usage_date between accounts.valid_from and accounts.valid_to

union all

select
    nullif(mart.source, '') as source,
    nullif('oci', '') as provider,
    nullif(mart.tenant_id, '') as account,
    nullif(accounts.account_name, '') as account_name,
    nullif(accounts.organizational_unit, '') as unit,
    nullif(accounts.organizational_unit_path, '') as unit_path,
    nullif(accounts.organizational_unit_id_path, '') as unit_ids,
    nullif(mart.tenant_id, '') as payer,
    cast(null as varchar) as writer,
    nullif(mart.service, '') as service,
    nullif(mart.region, '') as region,
    nullif(mart.availability_domain, '') as zone,
    nullif(substr(cast(mart.billing_period as varchar), 1, 7), '') as bill_month,
    nullif(mart.currency_code, '') as billing_currency,
    nullif(case when mart.is_correction then 'Correction' else 'Usage' end, '') as type,
    cast(null as varchar) as purchase_option,
    cast(null as varchar) as commitment,
    cast(null as varchar) as product_family,
    cast(null as varchar) as instance_type,
    nullif(case when mart.service in ('COMPUTE', 'FUNCTIONS', 'CONTAINER_INSTANCES') then 'Compute' when mart.service in ('BLOCK_STORAGE', 'OBJECT_STORAGE', 'OBJECTSTORE', 'FILE_STORAGE', 'DATABASE') then 'Storage' when mart.service in ('NETWORK', 'VIRTUAL_CLOUD_NETWORK', 'LOAD_BALANCER', 'DNS', 'FAST_CONNECT') then 'Network' when mart.service in ('CONTAINER_ENGINE', 'CONTAINER_ENGINE_FOR_KUBERNETES') then 'Management' else 'Other' end, '') as category,
    nullif(mart.product_description, '') as usage_type,
    nullif(mart.unit, '') as usage_unit,
    cast(null as varchar) as operation,
    cast(null as varchar) as invoice,
    nullif(mart.compartment_name, '') as compartment,
    mart.usage_date,
    mart.billing_period,
    mart.currency_code,
    mart.tags,
    mart.cost as billed_cost,
    mart.cost as effective_cost,
    mart.cost as list_cost,
    mart.cost as net_cost,
    mart.cost as amortized_cost,
    mart.cost as blended_cost,
    mart.line_item_count
from {{ source('marts', 'oci_daily_summary') }} as mart
left join {{ source('marts', 'aws_accounts') }} as accounts
    on
        accounts.account_id = mart.tenant_id
        and mart.usage_date between accounts.valid_from and accounts.valid_to

union all

select
    nullif(mart.source, '') as source,
    nullif(mart.provider, '') as provider,
    nullif(coalesce(nullif(mart.sub_account_id, ''), nullif(mart.billing_account_id, '')), '') as account,
    coalesce(nullif(accounts.account_name, ''), nullif(mart.sub_account_name, '')) as account_name,
    nullif(accounts.organizational_unit, '') as unit,
    nullif(accounts.organizational_unit_path, '') as unit_path,
    nullif(accounts.organizational_unit_id_path, '') as unit_ids,
    nullif(mart.billing_account_id, '') as payer,
    cast(null as varchar) as writer,
    nullif(mart.service, '') as service,
    nullif(mart.region, '') as region,
    cast(null as varchar) as zone,
    nullif(substr(cast(mart.billing_period as varchar), 1, 7), '') as bill_month,
    nullif(mart.currency_code, '') as billing_currency,
    nullif(mart.charge_category, '') as type,
    nullif(mart.pricing_category, '') as purchase_option,
    nullif(mart.commitment_discount_id, '') as commitment,
    nullif(mart.service_category, '') as product_family,
    cast(null as varchar) as instance_type,
    nullif(case when mart.service_category in ('Compute') then 'Compute' when mart.service_category in ('Storage', 'Databases') then 'Storage' when mart.service_category in ('Networking') then 'Network' when mart.service_category in ('Management and Governance') then 'Management' else 'Other' end, '') as category,
    cast(null as varchar) as usage_type,
    nullif(mart.unit, '') as usage_unit,
    cast(null as varchar) as operation,
    nullif(mart.invoice_id, '') as invoice,
    cast(null as varchar) as compartment,
    mart.usage_date,
    mart.billing_period,
    mart.currency_code,
    mart.tags,
    mart.billed_cost as billed_cost,
    mart.effective_cost as effective_cost,
    mart.list_cost as list_cost,
    mart.billed_cost as net_cost,
    mart.effective_cost as amortized_cost,
    mart.billed_cost as blended_cost,
    mart.line_item_count
from {{ source('marts', 'focus_daily_summary') }} as mart
left join {{ source('marts', 'aws_accounts') }} as accounts
    on
        accounts.account_id = coalesce(nullif(mart.sub_account_id, ''), nullif(mart.billing_account_id, ''))
        and mart.usage_date between accounts.valid_from and accounts.valid_to

union all

select
    nullif(mart.source, '') as source,
    nullif(mart.provider, '') as provider,
    nullif(mart.account_id, '') as account,
    nullif(accounts.account_name, '') as account_name,
    nullif(accounts.organizational_unit, '') as unit,
    nullif(accounts.organizational_unit_path, '') as unit_path,
    nullif(accounts.organizational_unit_id_path, '') as unit_ids,
    nullif(mart.payer_account_id, '') as payer,
    nullif(mart.writer, '') as writer,
    nullif(mart.service, '') as service,
    nullif(mart.region, '') as region,
    cast(null as varchar) as zone,
    nullif(substr(cast(mart.billing_period as varchar), 1, 7), '') as bill_month,
    nullif(mart.currency_code, '') as billing_currency,
    cast(null as varchar) as type,
    cast(null as varchar) as purchase_option,
    cast(null as varchar) as commitment,
    cast(null as varchar) as product_family,
    cast(null as varchar) as instance_type,
    nullif('Other', '') as category,
    cast(null as varchar) as usage_type,
    cast(null as varchar) as usage_unit,
    cast(null as varchar) as operation,
    nullif(mart.invoice_id, '') as invoice,
    cast(null as varchar) as compartment,
    mart.usage_date,
    mart.billing_period,
    mart.currency_code,
    cast(null as varchar) as tags,
    mart.billed_cost as billed_cost,
    mart.effective_cost as effective_cost,
    mart.billed_cost as list_cost,
    mart.billed_cost as net_cost,
    mart.effective_cost as amortized_cost,
    mart.billed_cost as blended_cost,
    mart.line_item_count
from {{ source('marts', 'lakehouse_daily_summary') }} as mart
left join {{ source('marts', 'aws_accounts') }} as accounts
    on
        accounts.account_id = mart.account_id
        and mart.usage_date between accounts.valid_from and accounts.valid_to
