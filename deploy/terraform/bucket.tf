locals {
  streams = ["archive", "archive-backfill", "webhook", "webhook-backfill"]
  # Each tenant of the chart has a journal of its own below checkpoints/. Without the chart, checkpoints/ itself has the streams.
  journals = concat([""], [for tenant in sort(tolist(var.tenants)) : "${tenant}/"])
  # Houndtrail rewrites only the objects in state/, up to a few times a minute.
  state = [for pair in setproduct(local.journals, local.streams) : "${var.prefix}/checkpoints/${pair[0]}${pair[1]}/state/"]

  # A policy that names the key needs its ARN, and the plan shows it only if the user gave it.
  kms_key_arn = var.kms_key_arn != null ? var.kms_key_arn : aws_kms_key.archive[0].arn
}

resource "aws_kms_key" "archive" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Encrypts the BloodHound audit log in ${var.bucket}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  lifecycle {
    prevent_destroy = true # without the key, the archive cannot be read
  }
}

resource "aws_kms_alias" "archive" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.archive[0].key_id
}

# The archive and the journal. Object Lock can be turned on only for ever, and does nothing until an object has a retention. So it is
# always on, and a later object_lock makes no new bucket.
resource "aws_s3_bucket" "archive" {
  bucket              = var.bucket
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "archive" {
  count  = var.object_lock == null ? 0 : 1
  bucket = aws_s3_bucket_versioning.archive.bucket

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    bucket_key_enabled = true # one request to KMS for many objects

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket = aws_s3_bucket.archive.bucket

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket_public_access_block.archive.bucket
  policy = jsonencode(local.policies["bucket"])
}

resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket_versioning.archive.bucket

  # A killed run leaves the parts of an upload.
  rule {
    id     = "incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  dynamic "rule" {
    for_each = local.state

    content {
      id     = "old-state-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = 7
      }
    }
  }

  dynamic "rule" {
    for_each = var.old_versions_days == null ? [] : ["audit", "quarantine"]

    content {
      id     = "old-${rule.value}"
      status = "Enabled"

      filter {
        prefix = "${var.prefix}/${rule.value}/"
      }

      noncurrent_version_expiration {
        noncurrent_days = var.old_versions_days
      }

      expiration {
        expired_object_delete_marker = true
      }
    }
  }
}
