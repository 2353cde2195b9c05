locals {
  pod_role = var.compact ? "compactor" : "writer"
}

output "helm_values" {
  description = "The values of the chart deploy/helm/houndtrail: terraform output -json helm_values > values.json"
  value = {
    settings = {
      ARCHIVE_URL = "s3://${aws_s3_bucket.archive.bucket}/${var.prefix}"
      ANCHOR_URL  = "s3://${aws_s3_bucket.heads.bucket}/${var.prefix}"
      S3_REGION   = local.region
    }
    serviceAccount = {
      name        = coalesce(local.account_name, "houndtrail")
      annotations = local.provider == null ? {} : { "eks.amazonaws.com/role-arn" = local.role_arns[local.pod_role] }
    }
    watch = {
      serviceAccount = {
        name        = "${coalesce(local.account_name, "houndtrail")}-watch"
        annotations = local.provider == null ? {} : { "eks.amazonaws.com/role-arn" = local.role_arns["watch"] }
      }
    }
  }
}

output "role_arns" {
  description = "The ARN of each role."
  value       = local.role_arns
}

output "kms_key_arn" {
  description = "The key that encrypts archive, journal and query results."
  value       = local.kms_key_arn
}

output "workgroup" {
  description = "The workgroup of Athena."
  value       = aws_athena_workgroup.audit.name
}

output "database" {
  description = "The database of Glue with the table bloodhound_audit and its views."
  value       = aws_glue_catalog_database.audit.name
}
