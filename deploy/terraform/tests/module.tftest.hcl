# The module's choices, and the values that it refuses.
mock_provider "aws" {
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }

  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "222233334444" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:222233334444:key/11111111-1111-1111-1111-111111111111" }
  }
}

mock_provider "aws" {
  alias           = "heads"
  override_during = plan
}

variables {
  bucket    = "acme-audit"
  tenants   = ["emea", "acme"]
  first_day = "2026-03-01"
}

run "defaults" {
  command = plan

  assert {
    condition     = length(aws_kms_key.archive) == 1 && length(aws_s3_bucket_object_lock_configuration.archive) == 0
    error_message = "Without settings, the module makes a key and no retention."
  }

  assert {
    condition     = aws_s3_bucket.heads.bucket == "acme-audit-heads" && aws_s3_bucket.results.bucket == "acme-audit-results"
    error_message = "The other buckets have the names ${aws_s3_bucket.heads.bucket} and ${aws_s3_bucket.results.bucket}."
  }

  # Three places of a journal, four streams, and the rule for uploads.
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.archive.rule) == 13
    error_message = "There are ${length(aws_s3_bucket_lifecycle_configuration.archive.rule)} rules."
  }

  assert {
    condition = alltrue([for r in aws_s3_bucket_lifecycle_configuration.archive.rule : (
      r.id == "incomplete-uploads"
      ? r.abort_incomplete_multipart_upload[0].days_after_initiation == 1 && length(r.noncurrent_version_expiration) == 0 && length(r.expiration) == 0
      : endswith(r.filter[0].prefix, "/state/") && r.noncurrent_version_expiration[0].noncurrent_days == 7 && length(r.expiration) == 0
    )])
    error_message = "A rule removes more than old versions of the state, or parts of an upload."
  }

  assert {
    condition     = contains([for r in aws_s3_bucket_lifecycle_configuration.archive.rule : r.filter[0].prefix], "houndtrail/checkpoints/acme/archive/state/")
    error_message = "No rule is about a tenant's state."
  }

  assert {
    condition = alltrue([for b in [
      aws_s3_bucket_public_access_block.archive, aws_s3_bucket_public_access_block.heads, aws_s3_bucket_public_access_block.results,
    ] : b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets])
    error_message = "A bucket may become public."
  }

  assert {
    condition     = alltrue([for v in [aws_s3_bucket_versioning.archive, aws_s3_bucket_versioning.heads] : v.versioning_configuration[0].status == "Enabled"])
    error_message = "A bucket has no versions."
  }

  assert {
    condition = alltrue([for p in [aws_s3_bucket_policy.archive, aws_s3_bucket_policy.heads, aws_s3_bucket_policy.results] :
    contains([for s in jsondecode(p.policy).Statement : s.Sid if s.Effect == "Deny"], "OnlyTLS")])
    error_message = "A bucket takes requests without TLS."
  }

  assert {
    condition     = aws_glue_catalog_table.audit.parameters["projection.tenant.values"] == "acme,emea" && aws_glue_catalog_table.audit.parameters["projection.dt.range"] == "2026-03-01,NOW"
    error_message = "The table has other partitions: ${jsonencode(aws_glue_catalog_table.audit.parameters)}."
  }

  assert {
    condition     = length(aws_athena_named_query.question) == 10 && length(aws_glue_catalog_table.view) == 4
    error_message = "There are ${length(aws_athena_named_query.question)} questions and ${length(aws_glue_catalog_table.view)} views."
  }

  assert {
    condition     = alltrue([for q in aws_athena_named_query.question : strcontains(q.query, "tenant IN ('acme', 'emea')") && strcontains(q.query, "dt BETWEEN CAST(current_date")])
    error_message = "A question is not about this module's tenants and the last days."
  }

  # Without EKS, people of the account take all roles.
  assert {
    condition     = alltrue([for r in aws_iam_role.all : jsondecode(r.assume_role_policy).Statement[0].Principal.AWS[0] == "arn:aws:iam::222233334444:root"])
    error_message = "A role trusts others."
  }

  assert {
    condition     = length(aws_eks_pod_identity_association.all) == 0 && length(output.helm_values.serviceAccount.annotations) == 0
    error_message = "Without EKS, no pod gets a role."
  }

  assert {
    condition     = output.helm_values.settings.ARCHIVE_URL == "s3://acme-audit/houndtrail" && output.helm_values.settings.ANCHOR_URL == "s3://acme-audit-heads/houndtrail"
    error_message = "The chart gets other places: ${jsonencode(output.helm_values)}."
  }
}

run "names" {
  command = plan

  # A value may contain a placeholder of deploy/aws.
  variables {
    bucket    = "my-example-bucket-heads"
    prefix    = "audit/houndtrail/eu-central-1"
    name      = "audit-example-workgroup"
    time_zone = "Europe/Vienna"
  }

  assert {
    condition     = local.policies["writer"].Statement[0].Resource == "arn:aws:s3:::my-example-bucket-heads/audit/houndtrail/eu-central-1/*"
    error_message = "The writer may write to ${local.policies["writer"].Statement[0].Resource}."
  }

  assert {
    condition     = local.policies["anchor"].Statement[0].Condition.StringLike["s3:prefix"] == "audit/houndtrail/eu-central-1/*"
    error_message = "The writer may list ${jsonencode(local.policies["anchor"].Statement[0])}."
  }

  assert {
    condition = !anytrue([for p in values(local.policies) : anytrue([
      for placeholder in ["s3:::example-bucket", "111122223333", "example_database", "workgroup/example", "00000000-0000"] : strcontains(jsonencode(p), placeholder)
    ])])
    error_message = "A policy still has a placeholder: ${jsonencode(local.policies)}."
  }

  assert {
    condition     = aws_glue_catalog_database.audit.name == "audit_example_workgroup" && aws_glue_catalog_table.audit.storage_descriptor[0].location == "s3://my-example-bucket-heads/audit/houndtrail/eu-central-1/audit/"
    error_message = "The table is at ${aws_glue_catalog_table.audit.storage_descriptor[0].location}."
  }

  assert {
    condition     = strcontains(aws_athena_named_query.question["out-of-hours"].query, "'Europe/Vienna'")
    error_message = "The question has another time zone."
  }
}

run "choices" {
  command = plan

  variables {
    object_lock       = { mode = "COMPLIANCE", days = 2555 }
    old_versions_days = 30
    compact           = true
    people            = ["arn:aws:iam::222233334444:role/auditors"]
    eks               = { cluster_name = "example-cluster", service_account = "exporter" }
  }

  assert {
    condition = alltrue([for c in [aws_s3_bucket_object_lock_configuration.archive[0], aws_s3_bucket_object_lock_configuration.heads[0]] :
    c.rule[0].default_retention[0].mode == "COMPLIANCE" && c.rule[0].default_retention[0].days == 2555])
    error_message = "An object is not retained."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.archive.rule) == 15 && !contains(keys(aws_iam_role.all), "writer")
    error_message = "A daemon that compacts has the role of the compactor, and old versions go."
  }

  assert {
    condition = (
      jsonencode([for account, a in aws_eks_pod_identity_association.all : "${a.namespace}/${account}"]) ==
      jsonencode(["houndtrail/exporter", "houndtrail/exporter-watch"]) &&
      local.pods == tomap({ compactor = "exporter", watch = "exporter-watch" })
    )
    error_message = "Pods get ${jsonencode(local.pods)}."
  }

  assert {
    condition     = jsondecode(aws_iam_role.all["auditor"].assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::222233334444:role/auditors"]
    error_message = "Others may take the auditor's role."
  }

  assert {
    condition     = output.helm_values.serviceAccount.name == "exporter" && output.helm_values.watch.serviceAccount.name == "exporter-watch"
    error_message = "The chart gets other accounts: ${jsonencode(output.helm_values)}."
  }
}

run "refused" {
  command = plan

  variables {
    bucket      = "Acme"
    tenants     = ["a,b"]
    first_day   = "2026-02-30"
    prefix      = "/houndtrail"
    name        = "Houndtrail"
    object_lock = { mode = "FOREVER", days = 1 }
    eks         = {}
    time_zone   = "'"
  }

  expect_failures = [
    var.bucket, var.tenants, var.first_day, var.prefix, var.name, var.object_lock, var.eks, var.time_zone,
  ]
}
