data "aws_partition" "here" {}

data "aws_region" "here" {}

data "aws_caller_identity" "here" {}

locals {
  partition = data.aws_partition.here.partition
  region    = data.aws_region.here.region
  account   = data.aws_caller_identity.here.account_id

  heads_bucket   = "${var.bucket}-heads"
  results_bucket = "${var.bucket}-results"
  database       = replace(var.name, "-", "_")

  # The placeholders in the files of ../aws, and their values here.
  values = {
    "example-bucket-heads"   = local.heads_bucket
    "example-bucket-results" = local.results_bucket
    "example-bucket"         = var.bucket
    "/houndtrail/"           = "/${var.prefix}/"
    "\"houndtrail/"          = "\"${var.prefix}/"
    "example-workgroup"      = var.name
    "example_database"       = local.database
    "arn:aws:"               = "arn:${local.partition}:"
    "eu-central-1"           = local.region
    "111122223333"           = local.account

    "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000" = local.kms_key_arn
    "s3.eu-central-1.amazonaws.com"                                                  = "s3.${local.region}.${data.aws_partition.here.dns_suffix}"
  }

  # One pass over each file: a placeholder, or the next character. So a value that contains a placeholder stays as it is. In the
  # reversed order, a placeholder comes before each placeholder that is its beginning.
  pieces = "(?s)${join("|", [for key in reverse(sort(keys(local.values))) : replace(key, ".", "\\.")])}|."
  policies = {
    for file in fileset("${path.module}/../aws", "*-policy.json") : trimsuffix(file, "-policy.json") => jsondecode(
      join("", [for piece in regexall(local.pieces, file("${path.module}/../aws/${file}")) : lookup(local.values, piece, piece)])
    )
  }
}
