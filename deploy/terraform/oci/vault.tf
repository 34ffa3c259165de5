# The keys of the bucket that the reports are mirrored to. Only the places are made here: a value that went through Terraform
# would be in its state and plans for ever. Put the values in by hand (docs/configure-oci.md); they are left alone afterwards.

resource "oci_kms_vault" "lakehouse" {
  count = var.make_vault ? 1 : 0

  compartment_id = var.compartment_ocid
  display_name   = var.name
  vault_type     = "DEFAULT"
}

resource "oci_kms_key" "lakehouse" {
  count = var.make_vault ? 1 : 0

  compartment_id      = var.compartment_ocid
  display_name        = var.name
  management_endpoint = oci_kms_vault.lakehouse[0].management_endpoint
  protection_mode     = "SOFTWARE"

  key_shape {
    algorithm = "AES"
    length    = 32
  }
}

resource "oci_vault_secret" "mirror" {
  for_each = var.make_vault ? toset(["access-key", "secret-key"]) : toset([])

  compartment_id = var.compartment_ocid
  vault_id       = oci_kms_vault.lakehouse[0].id
  key_id         = oci_kms_key.lakehouse[0].id
  secret_name    = "${var.name}-mirror-${each.key}"
  description    = "The ${each.key} of the bucket that the reports are mirrored to"

  secret_content {
    content_type = "BASE64"
    content      = base64encode("not set yet")
  }

  lifecycle {
    ignore_changes = [secret_content]
  }
}
