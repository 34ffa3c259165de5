output "source" {
  description = "The source's entry in lakehouse.yaml; its external_id is read from the environment."
  value = {
    kind     = "aws_cur"
    location = "s3://${var.report_bucket}/${var.report_prefix}/${var.report_name}"
    region   = var.region
    role_arn = aws_iam_role.lakehouse.arn
  }
}

output "mirror_destination" {
  description = "`destination` of a mirror of Oracle's reports; null without one."
  value       = var.mirror_bucket == "" ? null : "s3://${var.mirror_bucket}"
}

output "mirror_user" {
  description = "The user whose access key, made by hand, writes the mirror; null without one."
  value       = one(aws_iam_user.mirror[*].name)
}
