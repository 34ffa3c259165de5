# The buckets: private, encrypted, and what is replaced or deleted can be brought back for a while.

locals {
  buckets = merge(
    var.make_report_bucket ? { report = var.report_bucket } : {},
    var.mirror_bucket == "" ? {} : { mirror = var.mirror_bucket },
  )
}

resource "aws_s3_bucket" "bills" {
  for_each = local.buckets

  bucket = each.value
}

resource "aws_s3_bucket_public_access_block" "bills" {
  for_each = aws_s3_bucket.bills

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "bills" {
  for_each = aws_s3_bucket.bills

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# S3's own keys: AWS does not deliver a report to a bucket whose KMS key it may not use.
resource "aws_s3_bucket_server_side_encryption_configuration" "bills" {
  for_each = aws_s3_bucket.bills

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "bills" {
  for_each = aws_s3_bucket.bills

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Current objects stay: a bill that is deleted cannot be loaded again.
resource "aws_s3_bucket_lifecycle_configuration" "bills" {
  for_each = aws_s3_bucket.bills

  bucket = each.value.id

  rule {
    id     = "clean-up"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7 # a mirror that was killed goes on with its parts
    }
  }

  depends_on = [aws_s3_bucket_versioning.bills]
}

data "aws_iam_policy_document" "only_tls" {
  for_each = local.buckets

  statement {
    sid       = "NothingWithoutTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:${local.partition}:s3:::${each.value}", "arn:${local.partition}:s3:::${each.value}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "bills" {
  for_each = aws_s3_bucket.bills

  bucket = each.value.id
  policy = each.key == "report" ? data.aws_iam_policy_document.report_bucket.json : data.aws_iam_policy_document.only_tls[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.bills]
}
