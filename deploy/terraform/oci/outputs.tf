output "statements" {
  description = "The policy statements, for those who keep policies elsewhere."
  value       = concat(local.report_statements, local.secret_statements, local.topic_statements)
}

output "topic_ocid" {
  description = "The topic that alerts are published to; null without one."
  value       = one(oci_ons_notification_topic.alerts[*].id)
}

output "secret_ocids" {
  description = "The secrets for `vault:` of a mirror, by name; their values are put in by hand."
  value       = { for name, secret in oci_vault_secret.mirror : name => secret.id }
}

output "bastion_ocid" {
  description = "The bastion that leads to the instance; null without one."
  value       = one(oci_bastion_bastion.lakehouse[*].id)
}

output "private_ip" {
  description = "The instance's address in its subnet; null without one."
  value       = one(oci_core_instance.lakehouse[*].private_ip)
}
