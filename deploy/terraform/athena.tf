locals {
  # The table, as "houndtrail ddl --dialect glue" prints it for the placeholders of ../aws.
  table = jsondecode(replace(file("${path.module}/../athena/table.json"), "s3://example-bucket/houndtrail/", "s3://${var.bucket}/${var.prefix}/")).TableInput
  views = { for view in jsondecode(file("${path.module}/../athena/views.json")) : view.name => view }

  # The files of ../athena are questions about one tenant and one month. The saved ones are about all tenants of this module, and the
  # last 30 days. iceberg.sql is no question.
  questions = {
    for file in fileset("${path.module}/../athena", "*.sql") : trimsuffix(file, ".sql") => trimspace(file("${path.module}/../athena/${file}"))
    if file != "iceberg.sql"
  }
  tenant_list = join(", ", [for tenant in sort(tolist(var.tenants)) : "'${tenant}'"])
  last_month  = "dt BETWEEN CAST(current_date - INTERVAL '30' DAY AS varchar) AND CAST(current_date AS varchar)"
}

resource "aws_glue_catalog_database" "audit" {
  name        = local.database
  description = "The BloodHound audit log in ${var.bucket}"
}

resource "aws_glue_catalog_table" "audit" {
  database_name = aws_glue_catalog_database.audit.name
  name          = local.table.Name
  description   = local.table.Description
  table_type    = local.table.TableType

  # New days need no change. A query finds no tenant and no day outside of these two values.
  parameters = merge(local.table.Parameters, {
    "projection.tenant.values" = join(",", sort(tolist(var.tenants)))
    "projection.dt.range"      = "${var.first_day},NOW"
  })

  dynamic "partition_keys" {
    for_each = local.table.PartitionKeys

    content {
      name    = partition_keys.value.Name
      type    = partition_keys.value.Type
      comment = partition_keys.value.Comment
    }
  }

  storage_descriptor {
    location      = local.table.StorageDescriptor.Location
    input_format  = local.table.StorageDescriptor.InputFormat
    output_format = local.table.StorageDescriptor.OutputFormat

    ser_de_info {
      serialization_library = local.table.StorageDescriptor.SerdeInfo.SerializationLibrary
    }

    dynamic "columns" {
      for_each = local.table.StorageDescriptor.Columns

      content {
        name    = columns.value.Name
        type    = columns.value.Type
        comment = columns.value.Comment
      }
    }
  }
}

# Athena keeps a view in Glue as JSON in base64, in a comment.
resource "aws_glue_catalog_table" "view" {
  for_each = local.views

  database_name      = aws_glue_catalog_table.audit.database_name
  name               = each.key
  table_type         = "VIRTUAL_VIEW"
  parameters         = { presto_view = "true", comment = "Presto View" }
  view_expanded_text = "/* Presto View */"
  view_original_text = "/* Presto View: ${base64encode(jsonencode({
    originalSql = each.value.sql
    catalog     = "awsdatacatalog"
    schema      = local.database
    columns     = [for c in each.value.columns : { name = c.name, type = c.type }]
  }))} */"

  storage_descriptor {
    dynamic "columns" {
      for_each = each.value.columns

      content {
        name = columns.value.name
        type = columns.value.hive
      }
    }
  }
}

resource "aws_athena_workgroup" "audit" {
  name          = var.name
  description   = "Questions about the BloodHound audit log"
  force_destroy = true # the questions go with it

  configuration {
    enforce_workgroup_configuration = true # a query cannot write its result to another place

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${aws_s3_bucket.results.bucket}/"
      expected_bucket_owner = local.account

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = local.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "question" {
  for_each = local.questions

  name        = each.key
  description = trimprefix(split("\n", each.value)[0], "-- ")
  workgroup   = aws_athena_workgroup.audit.name
  database    = aws_glue_catalog_database.audit.name
  query = replace(replace(replace(each.value,
    "tenant IN ('acme')", "tenant IN (${local.tenant_list})"),
    "dt BETWEEN '2026-01-01' AND '2026-01-31'", local.last_month),
  "'Europe/Berlin'", "'${var.time_zone}'")
}

# The results of queries have records of the audit log. They have a bucket of their own, since the archive keeps each object.
resource "aws_s3_bucket" "results" {
  bucket        = local.results_bucket
  force_destroy = true # a result can be had again
}

resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.bucket

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "results" {
  bucket = aws_s3_bucket.results.bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket = aws_s3_bucket.results.bucket

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "results" {
  bucket = aws_s3_bucket_public_access_block.results.bucket
  policy = jsonencode(local.policies["results-bucket"])
}

resource "aws_s3_bucket_lifecycle_configuration" "results" {
  bucket = aws_s3_bucket.results.bucket

  rule {
    id     = "old-results"
    status = "Enabled"

    filter {}

    expiration {
      days = var.results_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
