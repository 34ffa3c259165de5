# A network of the instance's own: no way in but the bastion's, a way out by NAT, and Oracle's services without the internet.

locals {
  subnet_ocid = var.network == null ? try(var.instance.subnet_ocid, null) : one(oci_core_subnet.lakehouse[*].id)
}

data "oci_core_services" "all" {
  count = var.network == null ? 0 : 1

  filter {
    name   = "name"
    values = ["All .* Services In Oracle Services Network"]
    regex  = true
  }
}

resource "oci_core_vcn" "lakehouse" {
  count = var.network == null ? 0 : 1

  compartment_id = var.compartment_ocid
  display_name   = var.name
  cidr_blocks    = [var.network.cidr]
}

resource "oci_core_nat_gateway" "lakehouse" {
  count = var.network == null ? 0 : 1

  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.lakehouse[0].id
  display_name   = var.name
}

resource "oci_core_service_gateway" "lakehouse" {
  count = var.network == null ? 0 : 1

  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.lakehouse[0].id
  display_name   = var.name

  services {
    service_id = data.oci_core_services.all[0].services[0].id
  }
}

resource "oci_core_route_table" "lakehouse" {
  count = var.network == null ? 0 : 1

  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.lakehouse[0].id
  display_name   = var.name

  route_rules {
    description       = "The internet: packages, images, this project"
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
    network_entity_id = oci_core_nat_gateway.lakehouse[0].id
  }

  route_rules {
    description       = "Oracle's services: reports, alerts, the vault"
    destination       = data.oci_core_services.all[0].services[0].cidr_block
    destination_type  = "SERVICE_CIDR_BLOCK"
    network_entity_id = oci_core_service_gateway.lakehouse[0].id
  }
}

resource "oci_core_security_list" "lakehouse" {
  count = var.network == null ? 0 : 1

  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.lakehouse[0].id
  display_name   = var.name

  egress_security_rules {
    description = "Everywhere"
    destination = "0.0.0.0/0"
    protocol    = "all"
  }

  # The bastion's endpoint is in this subnet; nobody else reaches it.
  dynamic "ingress_security_rules" {
    for_each = var.bastion == null ? [] : [var.network.cidr]

    content {
      description = "SSH from the bastion"
      source      = ingress_security_rules.value
      protocol    = "6" # TCP

      tcp_options {
        min = 22
        max = 22
      }
    }
  }
}

resource "oci_core_subnet" "lakehouse" {
  count = var.network == null ? 0 : 1

  compartment_id             = var.compartment_ocid
  vcn_id                     = oci_core_vcn.lakehouse[0].id
  display_name               = var.name
  cidr_block                 = var.network.cidr
  route_table_id             = oci_core_route_table.lakehouse[0].id
  security_list_ids          = [oci_core_security_list.lakehouse[0].id]
  prohibit_public_ip_on_vnic = true
}

resource "oci_bastion_bastion" "lakehouse" {
  count = var.bastion == null ? 0 : 1

  bastion_type                 = "STANDARD"
  compartment_id               = var.compartment_ocid
  name                         = replace(var.name, "-", "") # letters and digits only
  target_subnet_id             = local.subnet_ocid
  client_cidr_block_allow_list = var.bastion.clients
  max_session_ttl_in_seconds   = 10800

  lifecycle {
    precondition {
      condition     = var.network != null || var.instance != null
      error_message = "A bastion leads into a subnet: make a network, or an instance in a subnet of yours."
    }
  }
}
