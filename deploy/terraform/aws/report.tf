# The report, and the bucket policy by which AWS, and nobody else, writes it.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  report_arn = "arn:${local.partition}:s3:::${var.report_bucket}"

  # Legacy reports, and Data Exports. Without them as a condition somebody else's report could be delivered here.
  report_definitions = [
    "arn:${local.partition}:cur:us-east-1:${local.account}:definition/*",
    "arn:${local.partition}:bcm-data-exports:us-east-1:${local.account}:export/*",
  ]
}

data "aws_iam_policy_document" "report_bucket" {
  source_policy_documents = [for name, each in data.aws_iam_policy_document.only_tls : each.json if name == "report"]

  statement {
    sid       = "AwsLooksAtTheBucket"
    actions   = ["s3:GetBucketAcl", "s3:GetBucketPolicy"]
    resources = [local.report_arn]

    principals {
      type        = "Service"
      identifiers = ["billingreports.amazonaws.com", "bcm-data-exports.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = local.report_definitions
    }
  }

  statement {
    sid       = "AwsDelivers"
    actions   = ["s3:PutObject"]
    resources = ["${local.report_arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["billingreports.amazonaws.com", "bcm-data-exports.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = local.report_definitions
    }
  }
}

resource "aws_cur_report_definition" "report" {
  count    = var.make_report ? 1 : 0
  provider = aws.billing

  report_name                = var.report_name
  time_unit                  = "HOURLY"
  format                     = "textORcsv"
  compression                = "GZIP"
  additional_schema_elements = ["RESOURCES"]
  s3_bucket                  = var.report_bucket
  s3_prefix                  = var.report_prefix
  s3_region                  = var.region
  report_versioning          = "OVERWRITE_REPORT"
  refresh_closed_reports     = true # refunds and corrections of closed months

  # AWS tries the bucket when the report is defined.
  depends_on = [aws_s3_bucket_policy.bills]
}
