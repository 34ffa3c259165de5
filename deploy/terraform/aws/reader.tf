# The role that reads the report: `role_arn` and `external_id` of a source.

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "AssumeWithExternalId"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.trusted_principals
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }

    dynamic "condition" {
      for_each = length(var.addresses) == 0 ? [] : [var.addresses]

      content {
        test     = "IpAddress"
        variable = "aws:SourceIp"
        values   = condition.value
      }
    }
  }
}

resource "aws_iam_role" "lakehouse" {
  name                 = var.name
  description          = "Reads the Cost and Usage Report"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "read_report" {
  statement {
    sid       = "ListTheReport"
    actions   = ["s3:ListBucket"]
    resources = [local.report_arn]

    dynamic "condition" {
      for_each = length(var.addresses) == 0 ? [] : [var.addresses]

      content {
        test     = "IpAddress"
        variable = "aws:SourceIp"
        values   = condition.value
      }
    }
  }

  statement {
    sid       = "ReadTheReport"
    actions   = ["s3:GetObject"]
    resources = ["${local.report_arn}/${var.report_prefix}/${var.report_name}/*"]

    dynamic "condition" {
      for_each = length(var.addresses) == 0 ? [] : [var.addresses]

      content {
        test     = "IpAddress"
        variable = "aws:SourceIp"
        values   = condition.value
      }
    }
  }

  dynamic "statement" {
    for_each = var.report_kms_key_arn == "" ? [] : [var.report_kms_key_arn]

    content {
      sid       = "DecryptTheReport"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_policy" "read_report" {
  name        = "${var.name}-read-report"
  description = "List and read the Cost and Usage Report"
  policy      = data.aws_iam_policy_document.read_report.json
}

resource "aws_iam_role_policy_attachment" "read_report" {
  role       = aws_iam_role.lakehouse.name
  policy_arn = aws_iam_policy.read_report.arn
}
