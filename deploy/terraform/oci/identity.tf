# Who may do what. Users and their API keys are made by hand: a key that Terraform makes is in Terraform's state.

locals {
  # An instance made here is the only member of its group; without one, every instance of the compartment is.
  matching_rules = {
    instance_principal = (
      var.instance == null
      ? "ALL {instance.compartment.id = '${var.compartment_ocid}'}"
      : "ANY {instance.id = '${one(oci_core_instance.lakehouse[*].id)}'}"
    )
    resource_principal = "ALL {resource.type = '${var.resource_type}', resource.compartment.id = '${var.compartment_ocid}'}"
  }

  subject = {
    instance_principal = "dynamic-group ${var.name}"
    resource_principal = "dynamic-group ${var.name}"
    workload_identity  = "any-user"
    api_key            = "group ${var.group_name}"
  }[var.auth]

  # `any-user` alone would be everybody: a workload is told by these.
  conditions = var.auth != "workload_identity" ? [] : [
    "request.principal.type = 'workload'",
    "request.principal.cluster_id = '${var.workload.cluster_ocid}'",
    "request.principal.namespace = '${var.workload.namespace}'",
    "request.principal.service_account = '${var.workload.service_account}'",
  ]
  where = length(local.conditions) == 0 ? "" : " where all {${join(", ", local.conditions)}}"

  secret_ocids = concat([for each in oci_vault_secret.mirror : each.id], var.secret_ocids)

  # The reports are in a tenancy of Oracle's own, the same for all customers.
  report_statements = [
    "define tenancy usage-report as ocid1.tenancy.oc1..aaaaaaaaned4fkpkisbwjlr56u7cj63lf3wffbilvqknstgtvzub7vhqkggq",
    "endorse ${local.subject} to read objects in tenancy usage-report${local.where}",
    "endorse ${local.subject} to read buckets in tenancy usage-report${local.where}",
  ]
  secret_statements = [
    for ocid in local.secret_ocids :
    "allow ${local.subject} to read secret-bundles in compartment id ${var.compartment_ocid} where all {${join(", ", concat(local.conditions, ["target.secret.id = '${ocid}'"]))}}"
  ]
  topic_statements = var.make_topic ? [
    "allow ${local.subject} to use ons-topics in compartment id ${var.compartment_ocid} where all {${join(", ", concat(local.conditions, ["request.permission = 'ONS_TOPIC_PUBLISH'"]))}}",
  ] : []
}

resource "oci_identity_dynamic_group" "lakehouse" {
  count = contains(keys(local.matching_rules), var.auth) ? 1 : 0

  compartment_id = var.tenancy_ocid
  name           = var.name
  description    = "What reads the cost reports"
  matching_rule  = local.matching_rules[var.auth]
}

# Statements that define and endorse belong into the tenancy's root compartment.
resource "oci_identity_policy" "reports" {
  compartment_id = var.tenancy_ocid
  name           = "${var.name}-reports"
  description    = "Read the cost reports in Oracle's bucket"
  statements     = local.report_statements

  lifecycle {
    precondition {
      condition     = var.auth != "api_key" || var.group_name != ""
      error_message = "auth api_key needs group_name."
    }
    precondition {
      condition     = var.auth != "workload_identity" || alltrue([for each in values(var.workload) : each != ""])
      error_message = "auth workload_identity needs all of workload: without one of them, more than that service account could read."
    }
    precondition {
      condition     = var.instance == null || var.auth == "instance_principal"
      error_message = "An instance made here reads by auth instance_principal."
    }
    precondition {
      condition     = var.instance == null || var.make_topic || try(var.instance.sources, null) != null
      error_message = "sources.yaml publishes to the topic: make one, or give the instance sources of its own."
    }
  }

  depends_on = [oci_identity_dynamic_group.lakehouse]
}

resource "oci_identity_policy" "compartment" {
  count = var.make_vault || var.make_topic || length(var.secret_ocids) > 0 ? 1 : 0

  compartment_id = var.compartment_ocid
  name           = "${var.name}-compartment"
  description    = "Read the secrets of the mirror, publish alerts"
  statements     = concat(local.secret_statements, local.topic_statements)

  depends_on = [oci_identity_dynamic_group.lakehouse]
}
