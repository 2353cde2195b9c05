# The second bucket: it remembers the heads of the journals (HOUNDTRAIL_ANCHOR_URL). It may be in another account, so it needs no key of
# this account: a head is no secret.
resource "aws_s3_bucket" "heads" {
  provider            = aws.heads
  bucket              = local.heads_bucket
  object_lock_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "heads" {
  provider = aws.heads
  bucket   = aws_s3_bucket.heads.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "heads" {
  provider = aws.heads
  count    = var.object_lock == null ? 0 : 1
  bucket   = aws_s3_bucket_versioning.heads.bucket

  rule {
    default_retention {
      mode = var.object_lock.mode
      days = var.object_lock.days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "heads" {
  provider = aws.heads
  bucket   = aws_s3_bucket.heads.bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "heads" {
  provider = aws.heads
  bucket   = aws_s3_bucket.heads.bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "heads" {
  provider = aws.heads
  bucket   = aws_s3_bucket.heads.bucket

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# In another account, the bucket itself must allow the roles. In the same account, their own policies already do.
resource "aws_s3_bucket_policy" "heads" {
  provider = aws.heads
  bucket   = aws_s3_bucket_public_access_block.heads.bucket

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.policies["anchor-bucket"].Statement,
      flatten([
        for policy, roles in local.heads_users : [
          for s in local.policies[policy].Statement : merge(s, { Principal = { AWS = [for r in roles : local.role_arns[r]] } })
          if s.Effect == "Allow"
        ]
      ]),
    )
  })

  depends_on = [aws_iam_role.all] # S3 refuses a principal that does not exist
}

locals {
  # The roles with each policy about the heads.
  heads_users = {
    for policy in ["anchor", "anchor-reader"] : policy => sort([for role, policies in local.role_policies : role if contains(policies, policy)])
  }
}
