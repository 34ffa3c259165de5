variable "tenancy_ocid" {
  description = "OCID of the tenancy whose reports are read; its OCID is also the name of Oracle's bucket."
  type        = string

  validation {
    condition     = startswith(var.tenancy_ocid, "ocid1.tenancy.")
    error_message = "Give a tenancy's OCID: Console, profile menu, Tenancy."
  }
}

variable "home_region" {
  description = "The tenancy's home region, such as eu-frankfurt-1: the reports are there and nowhere else."
  type        = string
}

variable "compartment_ocid" {
  description = "OCID of the compartment of vault, topic and instance; best one of its own, not the tenancy itself."
  type        = string
}

variable "name" {
  description = "Begins the name of everything that is made here."
  type        = string
  default     = "cost-lakehouse"
}

variable "auth" {
  description = "Who reads the reports, as `oci.auth` in lakehouse.yaml: instance_principal, resource_principal, workload_identity or api_key."
  type        = string
  default     = "instance_principal"

  validation {
    condition     = contains(["instance_principal", "resource_principal", "workload_identity", "api_key"], var.auth)
    error_message = "Choose instance_principal, resource_principal, workload_identity or api_key."
  }
}

variable "resource_type" {
  description = "With auth resource_principal: the kind of resource of the compartment that may read, such as computecontainerinstance or fnfunc."
  type        = string
  default     = "computecontainerinstance"
}

variable "workload" {
  description = "With auth workload_identity: the service account of a Kubernetes cluster (OKE) that may read."
  type = object({
    cluster_ocid    = string
    namespace       = string
    service_account = string
  })
  default = { cluster_ocid = "", namespace = "", service_account = "" }
}

variable "group_name" {
  description = "With auth api_key: the group whose users may read. Neither users nor their keys are made here."
  type        = string
  default     = ""
}

variable "make_vault" {
  description = "Whether to make a vault with two secrets, for the keys of the bucket that the reports are mirrored to."
  type        = bool
  default     = false
}

variable "secret_ocids" {
  description = "OCIDs of secrets of this compartment that were made elsewhere and may be read too."
  type        = list(string)
  default     = []
}

variable "make_topic" {
  description = "Whether to make a notification topic for alerts."
  type        = bool
  default     = true
}

variable "alert_emails" {
  description = "Addresses that the topic sends alerts to; each has to confirm a message of Oracle's once."
  type        = set(string)
  default     = []
}

variable "instance" {
  description = "An instance that runs the project with Docker Compose, on its schedules; null makes none. A subnet of yours needs a way out, and none in."
  type = object({
    ssh_public_key = string
    repository     = string           # where Git clones this project from
    revision       = string           # a tag or branch of it
    subnet_ocid    = optional(string) # a subnet of yours; without it, make a network
    sources        = optional(string) # sources, mirrors and alerts of lakehouse.yaml; sources.yaml here by default
    shape          = optional(string, "VM.Standard.E5.Flex")
    ocpus          = optional(number, 2)
    memory_gb      = optional(number, 16)
    boot_volume_gb = optional(number, 200)
  })
  default = null
}

variable "network" {
  description = "A network for the instance: a VCN with a private subnet, a NAT gateway and a service gateway; null makes none."
  type = object({
    cidr = optional(string, "10.20.0.0/24")
  })
  default = null
}

variable "bastion" {
  description = "A bastion to reach the instance by SSH, for these addresses only; null makes none."
  type = object({
    clients = list(string) # such as 203.0.113.7/32
  })
  default = null

  validation {
    condition     = try(length(var.bastion.clients), 1) > 0 && !contains(try(var.bastion.clients, []), "0.0.0.0/0")
    error_message = "Name the addresses that may use the bastion; not everybody."
  }
}
