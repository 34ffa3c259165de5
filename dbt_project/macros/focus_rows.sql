{#- FOCUS 1.2's columns, in the specification's order of names -> the type that they have here. -#}
{% macro focus_1_2_columns() -%}
    {{ return({
        'availability_zone': 'varchar', 'billed_cost': 'decimal(38, 20)', 'billing_account_id': 'varchar',
        'billing_account_name': 'varchar', 'billing_account_type': 'varchar', 'billing_currency': 'varchar',
        'billing_period_end': 'timestamp(6)', 'billing_period_start': 'timestamp(6)', 'capacity_reservation_id': 'varchar',
        'capacity_reservation_status': 'varchar', 'charge_category': 'varchar', 'charge_class': 'varchar',
        'charge_description': 'varchar', 'charge_frequency': 'varchar', 'charge_period_end': 'timestamp(6)',
        'charge_period_start': 'timestamp(6)', 'commitment_discount_category': 'varchar', 'commitment_discount_id': 'varchar',
        'commitment_discount_name': 'varchar', 'commitment_discount_quantity': 'decimal(38, 20)',
        'commitment_discount_status': 'varchar', 'commitment_discount_type': 'varchar', 'commitment_discount_unit': 'varchar',
        'consumed_quantity': 'decimal(38, 20)', 'consumed_unit': 'varchar', 'contracted_cost': 'decimal(38, 20)',
        'contracted_unit_price': 'double', 'effective_cost': 'decimal(38, 20)', 'invoice_id': 'varchar',
        'invoice_issuer_name': 'varchar', 'list_cost': 'decimal(38, 20)', 'list_unit_price': 'double',
        'pricing_category': 'varchar', 'pricing_currency': 'varchar', 'pricing_currency_contracted_unit_price': 'double',
        'pricing_currency_effective_cost': 'decimal(38, 20)', 'pricing_currency_list_unit_price': 'double',
        'pricing_quantity': 'decimal(38, 20)', 'pricing_unit': 'varchar', 'provider_name': 'varchar',
        'publisher_name': 'varchar', 'region_id': 'varchar', 'region_name': 'varchar', 'resource_id': 'varchar',
        'resource_name': 'varchar', 'resource_type': 'varchar', 'service_category': 'varchar', 'service_name': 'varchar',
        'service_subcategory': 'varchar', 'sku_id': 'varchar', 'sku_meter': 'varchar', 'sku_price_details': 'varchar',
        'sku_price_id': 'varchar', 'sub_account_id': 'varchar', 'sub_account_name': 'varchar', 'sub_account_type': 'varchar',
        'tags': 'varchar',
    }) }}
{%- endmacro %}

{#- What a FOCUS row says beyond FOCUS -> type; `x_part` is said where rows are made. -#}
{% macro focus_own_columns() -%}
    {{ return({
        'x_provider': 'varchar', 'x_line_item_type': 'varchar', 'x_service_code': 'varchar', 'x_operation': 'varchar',
        'x_cost_categories': 'varchar', 'x_amortized_cost': 'decimal(38, 20)', 'x_net_unblended_cost': 'decimal(38, 20)',
        'x_blended_cost': 'decimal(38, 20)', 'x_compartment_id': 'varchar', 'x_compartment_name': 'varchar',
        'x_billed_cost_overage': 'decimal(38, 20)',
    }) }}
{%- endmacro %}

{#-
  One select of FOCUS rows out of the common row: each column as it is there, or as `changed` (column -> SQL) says. Tags and cost
  categories keep their text: `int_costs__focus_labels` says what FOCUS writes for it. `part` says which row of its line it is.
-#}
{% macro focus_row(lines, part, changed={}, where='true') -%}
    select
        source,
        billing_period,
        delivery_id,
        file_name,
        row_number,
        '{{ part }}' as x_part,
        {%- for columns in [focus_1_2_columns(), focus_own_columns()] %}
        {%- set last_columns = loop.last %}
        {%- for column, type in columns.items() %}
        {{ changed[column] ~ ' as ' ~ column if column in changed else column }}{{ ',' if not (last_columns and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    from {{ lines }}
    where {{ where }}
{%- endmacro %}

{#- A provider's unit of quantity as FOCUS writes it; what is not known here stays as it is. -#}
{% macro focus_unit(unit) -%}
    {%- set known = {
        'Hours': ['Hrs', 'hrs', 'Hour', 'hour', 'hours', 'HOUR', 'HOURS'],
        'Minutes': ['minutes', 'minute', 'Minute'],
        'Seconds': ['seconds', 'second', 'Second'],
        'GB': ['Gigabytes', 'gigabytes', 'gb', 'GigaBytes'],
        'GB-Months': ['GB-Mo', 'GB-month', 'GB-Month', 'GB-mo'],
        'GB-Hours': ['GB-Hrs', 'GB-hours', 'GB-Hr'],
        'GB-Seconds': ['Lambda-GB-Second', 'GB-Second', 'GB-second', 'GB-Sec'],
        'vCPU-Hours': ['vCPU-hours', 'vCPU-Hrs', 'vCPU-Hour'],
        'ACU-Hours': ['ACU-Hr', 'ACU-Hrs'],
        'LCU-Hours': ['LCU-Hrs', 'LCU-hours'],
        'IOPS-Months': ['IOPS-Mo'],
        'MiBps-Months': ['MiBps-Mo', 'MiBps-mo'],
        'GiBps-Months': ['GiBps-mo', 'GiBps-Mo'],
        'Requests': ['Request', 'requests', 'API Requests', 'API Calls'],
        'Counts': ['Count', 'count'],
        'Units': ['Quantity', 'quantity', 'Unit', 'unit', 'units'],
    } -%}
    case {{ unit }}
        {%- for focus, names in known.items() %}
        {%- for name in names %}
        when '{{ name }}' then '{{ focus }}'
        {%- endfor %}
        {%- endfor %}
        else {{ unit }}
    end
{%- endmacro %}

{#-
  Services by the code or name that a bill calls them -> FOCUS's category and subcategory. One service has one category. What is
  not among them is in Other.
-#}
{% macro focus_service_categories() -%}
    {{ return({
        'Compute': {
            'Virtual Machines': ['AmazonEC2', 'AmazonLightsail', 'ComputeSavingsPlans', 'COMPUTE'],
            'Serverless Compute': ['AWSLambda', 'AWSAppRunner', 'FUNCTIONS'],
            'Containers': ['AmazonECS', 'AmazonEKS', 'AmazonECR', 'OKE', 'CONTAINER_ENGINE', 'CONTAINER_INSTANCES'],
            'End User Computing': ['AmazonWorkSpaces', 'AmazonAppStream'],
            'Other (Compute)': ['AWSElasticBeanstalk', 'AWSBatch', 'AWSOutposts'],
        },
        'Storage': {
            'Object Storage': ['AmazonS3', 'AmazonGlacier', 'AmazonS3GlacierDeepArchive', 'OBJECT_STORAGE', 'OBJECTSTORE'],
            'File Storage': ['AmazonEFS', 'AmazonFSx', 'FILE_STORAGE'],
            'Block Storage': ['BLOCK_STORAGE'],
            'Backup Storage': ['AWSBackup'],
            'Other (Storage)': ['AWSStorageGateway'],
        },
        'Databases': {
            'Relational Databases': ['AmazonRDS', 'DATABASE', 'AUTONOMOUS_DATABASE', 'MYSQL'],
            'NoSQL Databases': ['AmazonDynamoDB', 'AmazonDocDB', 'AmazonNeptune', 'AmazonMCS', 'NOSQL'],
            'Caching': ['AmazonElastiCache', 'AmazonDAX', 'AmazonMemoryDB', 'REDIS'],
            'Data Warehouses': ['AmazonRedshift'],
            'Time Series Databases': ['AmazonTimestream'],
            'Ledger Databases': ['AmazonQLDB'],
        },
        'Networking': {
            'Content Delivery': ['AmazonCloudFront'],
            'Network Infrastructure': ['AmazonVPC', 'NETWORK', 'VIRTUAL_CLOUD_NETWORK'],
            'Network Connectivity': ['AWSDirectConnect', 'AWSGlobalAccelerator', 'FASTCONNECT'],
            'Network Routing': ['AmazonRoute53', 'DNS'],
            'Application Networking': ['AWSELB', 'AWSCloudMap', 'LOAD_BALANCER', 'LBAAS'],
            'Network Security': ['AWSNetworkFirewall'],
        },
        'Analytics': {
            'Analytics Platforms': ['AmazonAthena', 'ElasticMapReduce'],
            'Data Processing': ['AWSGlue', 'AWSDataPipeline'],
            'Streaming Analytics': ['AmazonKinesis', 'AmazonKinesisFirehose', 'AmazonKinesisAnalytics', 'AmazonMSK', 'STREAMING'],
            'Search': ['AmazonES', 'AmazonCloudSearch'],
            'Business Intelligence': ['AmazonQuickSight', 'ANALYTICS'],
        },
        'Integration': {
            'Messaging': ['AmazonSNS', 'AWSQueueService', 'AmazonMQ', 'AWSEvents', 'NOTIFICATIONS'],
            'API Management': ['AmazonApiGateway', 'API_GATEWAY'],
            'Workflow Orchestration': ['AmazonStates', 'AmazonMWAA'],
        },
        'Security': {
            'Secret Management': ['awskms', 'AWSSecretsManager', 'AWSCloudHSM', 'KMS', 'VAULT'],
            'Threat Detection and Response': ['AmazonGuardDuty', 'AmazonInspector', 'AmazonMacie', 'AmazonDetective'],
            'Security Posture Management': ['AWSSecurityHub', 'AWSConfig'],
            'Other (Security)': ['awswaf', 'AWSShield'],
        },
        'Identity': {
            'Identity and Access Management': ['AmazonCognito', 'AWSDirectoryService', 'IDENTITY'],
        },
        'Management and Governance': {
            'Observability': ['AmazonCloudWatch', 'AWSXRay', 'AmazonManagedGrafana', 'LOGGING', 'MONITORING'],
            'Compliance': ['AWSCloudTrail', 'AWSAuditManager'],
            'Cost Management': ['AWSCostExplorer', 'AWSBudgets'],
            'Support': ['AWSSupportBusiness', 'AWSSupportEnterprise', 'AWSDeveloperSupport', 'AWSSupportDeveloper', 'OCBPremiumSupport'],
            'Other (Management and Governance)': ['AWSSystemsManager', 'AWSServiceCatalog', 'AWSCloudFormation'],
        },
        'Developer Tools': {
            'Continuous Integration and Deployment': ['CodeBuild', 'AWSCodePipeline', 'AWSCodeDeploy', 'DEVOPS'],
            'Source Code Management': ['AWSCodeCommit', 'AWSCodeArtifact'],
        },
        'AI and Machine Learning': {
            'Machine Learning': ['AmazonSageMaker', 'DATA_SCIENCE'],
            'Generative AI': ['AmazonBedrock', 'GENERATIVE_AI'],
            'Natural Language Processing': ['AmazonComprehend', 'AmazonTranslate', 'AmazonPolly', 'transcribe'],
            'Bots': ['AmazonLex'],
        },
        'Migration': {
            'Data Migration': ['AWSDatabaseMigrationSvc', 'AWSDataSync', 'AWSTransfer', 'AWSDataTransfer'],
        },
        'Internet of Things': {'IoT Platforms': ['AWSIoT', 'AWSIoTDeviceManagement']},
        'Business Applications': {'Productivity and Collaboration': ['AmazonSES', 'AmazonWorkDocs', 'AmazonWorkMail']},
    }) }}
{%- endmacro %}
