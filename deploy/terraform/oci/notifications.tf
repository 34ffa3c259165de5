resource "oci_ons_notification_topic" "alerts" {
  count = var.make_topic ? 1 : 0

  compartment_id = var.compartment_ocid
  name           = "${var.name}-alerts"
  description    = "Loads and checks that failed, deliveries that stopped coming"
}

resource "oci_ons_subscription" "email" {
  for_each = var.make_topic ? var.alert_emails : toset([])

  compartment_id = var.compartment_ocid
  topic_id       = oci_ons_notification_topic.alerts[0].id
  protocol       = "EMAIL"
  endpoint       = each.value
}
