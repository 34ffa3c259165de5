# One machine with everything (docs/production.md, Docker Compose). Dagster's schedules run the mirror and the loads.

data "oci_identity_availability_domains" "all" {
  count = var.instance == null ? 0 : 1

  compartment_id = var.tenancy_ocid
}

data "oci_core_images" "ubuntu" {
  count = var.instance == null ? 0 : 1

  compartment_id           = var.tenancy_ocid
  operating_system         = "Canonical Ubuntu"
  operating_system_version = "24.04"
  shape                    = var.instance.shape
  sort_by                  = "TIMECREATED"
  sort_order               = "DESC"
}

resource "oci_core_instance" "lakehouse" {
  count = var.instance == null ? 0 : 1

  compartment_id       = var.compartment_ocid
  availability_domain  = data.oci_identity_availability_domains.all[0].availability_domains[0].name
  display_name         = var.name
  shape                = var.instance.shape
  preserve_boot_volume = true # lake and catalog are on it

  shape_config {
    ocpus         = var.instance.ocpus
    memory_in_gbs = var.instance.memory_gb
  }

  source_details {
    source_type             = "image"
    source_id               = data.oci_core_images.ubuntu[0].images[0].id
    boot_volume_size_in_gbs = var.instance.boot_volume_gb
  }

  create_vnic_details {
    subnet_id        = local.subnet_ocid
    assign_public_ip = false
  }

  instance_options {
    are_legacy_imds_endpoints_disabled = true
  }

  metadata = {
    ssh_authorized_keys = var.instance.ssh_public_key
    user_data = base64encode(templatefile("${path.module}/first-boot.sh.tftpl", {
      name         = var.name
      folder       = "/opt/cost-lakehouse"
      repository   = var.instance.repository
      revision     = var.instance.revision
      tenancy      = var.tenancy_ocid
      home_region  = var.home_region
      topic        = join("", oci_ons_notification_topic.alerts[*].id)
      sources      = base64encode(coalesce(var.instance.sources, file("${path.module}/sources.yaml")))
      tell_failure = base64encode(file("${path.module}/tell-failure.py"))
    }))
  }

  lifecycle {
    precondition {
      condition     = var.instance == null || (var.network != null) != (try(var.instance.subnet_ocid, null) != null)
      error_message = "Give the instance a subnet of yours (subnet_ocid), or make a network for it; not both."
    }

    # A newer image, or another first boot, must not replace the machine that holds the lake.
    ignore_changes = [availability_domain, metadata, source_details]
  }
}
