# The module in three partitions, with the placeholders of deploy/README.md as its values. .ci/terraform compares the rendered policies
# with deploy/aws, and lets a simulator of IAM decide requests by them.

mock_provider "aws" {
  alias           = "aws"
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }

  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

mock_provider "aws" {
  alias           = "aws-us-gov"
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }

  mock_data "aws_region" {
    defaults = { region = "us-gov-west-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

mock_provider "aws" {
  alias           = "aws-cn"
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }

  mock_data "aws_region" {
    defaults = { region = "cn-north-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  bucket    = "example-bucket"
  tenants   = ["acme"]
  first_day = "2026-01-01"
}

run "aws" {
  command   = plan
  providers = { aws = aws.aws, aws.heads = aws.aws }

  variables {
    name        = "example-workgroup"
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"

    eks = {
      cluster_name      = "example-cluster"
      oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"
    }
  }

  assert {
    condition     = output.role_arns["writer"] == "arn:aws:iam::111122223333:role/example-workgroup-writer"
    error_message = "The writer's ARN is ${output.role_arns["writer"]}."
  }

  assert {
    condition     = output.helm_values.serviceAccount.annotations["eks.amazonaws.com/role-arn"] == output.role_arns["writer"]
    error_message = "The pods get no role: ${jsonencode(output.helm_values)}."
  }
}

run "aws-us-gov" {
  command   = plan
  providers = { aws = aws.aws-us-gov, aws.heads = aws.aws-us-gov }

  variables {
    name        = "example-workgroup"
    kms_key_arn = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"

    eks = {
      cluster_name      = "example-cluster"
      oidc_provider_arn = "arn:aws-us-gov:iam::111122223333:oidc-provider/oidc.eks.us-gov-west-1.amazonaws.com/id/EXAMPLE"
    }
  }

  assert {
    condition     = output.role_arns["writer"] == "arn:aws-us-gov:iam::111122223333:role/example-workgroup-writer"
    error_message = "The writer's ARN is ${output.role_arns["writer"]}."
  }

  assert {
    condition     = output.helm_values.serviceAccount.annotations["eks.amazonaws.com/role-arn"] == output.role_arns["writer"]
    error_message = "The pods get no role: ${jsonencode(output.helm_values)}."
  }
}

run "aws-cn" {
  command   = plan
  providers = { aws = aws.aws-cn, aws.heads = aws.aws-cn }

  variables {
    name        = "example-workgroup"
    kms_key_arn = "arn:aws-cn:kms:cn-north-1:111122223333:key/00000000-0000-0000-0000-000000000000"

    eks = {
      cluster_name      = "example-cluster"
      oidc_provider_arn = "arn:aws-cn:iam::111122223333:oidc-provider/oidc.eks.cn-north-1.amazonaws.com.cn/id/EXAMPLE"
    }
  }

  assert {
    condition     = output.role_arns["writer"] == "arn:aws-cn:iam::111122223333:role/example-workgroup-writer"
    error_message = "The writer's ARN is ${output.role_arns["writer"]}."
  }

  assert {
    condition     = output.helm_values.serviceAccount.annotations["eks.amazonaws.com/role-arn"] == output.role_arns["writer"]
    error_message = "The pods get no role: ${jsonencode(output.helm_values)}."
  }
}
