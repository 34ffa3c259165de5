# The rights on the mirror of Oracle's reports: write it, and read it back as a source.

locals {
  mirror_arn = "arn:${local.partition}:s3:::${var.mirror_bucket}"
}

data "aws_iam_policy_document" "write_mirror" {
  statement {
    sid       = "ListTheMirror"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.mirror_arn]
  }

  statement {
    sid       = "ReadAndWriteTheMirror"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${local.mirror_arn}/*"]
  }

  dynamic "statement" {
    for_each = var.mirror_may_delete ? [true] : []

    content {
      sid       = "DeleteFromTheMirror"
      actions   = ["s3:DeleteObject"]
      resources = ["${local.mirror_arn}/*"]
    }
  }
}

resource "aws_iam_policy" "write_mirror" {
  count = var.mirror_bucket == "" ? 0 : 1

  name        = "${var.name}-write-mirror"
  description = "Mirror Oracle's reports, and read the mirror"
  policy      = data.aws_iam_policy_document.write_mirror.json
}

resource "aws_iam_role_policy_attachment" "write_mirror" {
  count = var.mirror_bucket == "" ? 0 : 1

  role       = aws_iam_role.lakehouse.name
  policy_arn = aws_iam_policy.write_mirror[0].arn
}

# For a machine outside AWS. An access key that Terraform made would be in its state: make it by hand, straight into the vault.
resource "aws_iam_user" "mirror" {
  count = var.mirror_bucket != "" && var.make_mirror_user ? 1 : 0

  name = "${var.name}-mirror"
}

resource "aws_iam_user_policy_attachment" "mirror" {
  count = var.mirror_bucket != "" && var.make_mirror_user ? 1 : 0

  user       = aws_iam_user.mirror[0].name
  policy_arn = aws_iam_policy.write_mirror[0].arn
}
