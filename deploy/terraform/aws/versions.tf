terraform {
  required_version = ">= 1.6.0" # OpenTofu 1.6 and newer too

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.58.0"
    }
  }
}

provider "aws" {
  region = var.region
}

# AWS takes report definitions in this region only, wherever the bucket is.
provider "aws" {
  alias  = "billing"
  region = "us-east-1"
}
