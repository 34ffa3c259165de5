variable "region" {
  description = "Region of the buckets."
  type        = string
}

variable "name" {
  description = "Begins the name of the role and of the policies."
  type        = string
  default     = "cost-lakehouse"
}

variable "report_bucket" {
  description = "Name of the bucket that AWS delivers the report to."
  type        = string
}

variable "make_report_bucket" {
  description = "Whether to make that bucket; false where AWS delivers to it already."
  type        = bool
  default     = true
}

variable "report_prefix" {
  description = "The report's path prefix in the bucket."
  type        = string
  default     = "cur"
}

variable "report_name" {
  description = "The report's name, unique in the account."
  type        = string
  default     = "hourly-cur"
}

variable "make_report" {
  description = "Whether to define the report; only the payer account may, and an account has few of them."
  type        = bool
  default     = true
}

variable "report_kms_key_arn" {
  description = "The KMS key of an existing report bucket; empty where it is encrypted with S3's own keys."
  type        = string
  default     = ""
}

variable "noncurrent_days" {
  description = "How long a replaced or deleted object of a bucket made here can be brought back."
  type        = number
  default     = 30
}

variable "trusted_principals" {
  description = "ARNs of the roles or users that may assume the reading role, such as the role of the machine that loads."
  type        = list(string)

  validation {
    condition     = length(var.trusted_principals) > 0 && alltrue([for each in var.trusted_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user|root)", each))])
    error_message = "Name at least one role, user or account by its ARN; never everybody."
  }
}

variable "addresses" {
  description = "Addresses from which the role may be assumed and the report read, such as 203.0.113.7/32 of a proxy; empty: any."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.addresses : can(regex("/", address))])
    error_message = "Write each address with its length, such as 203.0.113.7/32."
  }
}

variable "external_id" {
  description = "What those who assume the role have to say, `external_id` in lakehouse.yaml: any text that others do not guess."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[\\w+=,.@:/-]{8,1224}$", var.external_id))
    error_message = "Use 8 to 1224 letters, digits and + = , . @ : / - _."
  }
}

variable "mirror_bucket" {
  description = "Name of a bucket to make for the mirror of Oracle's reports; empty makes none."
  type        = string
  default     = ""
}

variable "mirror_may_delete" {
  description = "Whether the mirror may delete there, as it does with `delete: true` only."
  type        = bool
  default     = false
}

variable "make_mirror_user" {
  description = "Whether to make a user that may write the mirror, for machines outside AWS; its access key is made by hand."
  type        = bool
  default     = false
}
