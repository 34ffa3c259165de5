terraform {
  required_version = ">= 1.6.0" # OpenTofu 1.6 and newer too

  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "7.29.0"
    }
  }
}

# Oracle keeps the reports, and takes changes of identities and policies, in the tenancy's home region only.
provider "oci" {
  region = var.home_region
}
