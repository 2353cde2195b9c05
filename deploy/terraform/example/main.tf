# An archive of two BloodHounds, for an EKS cluster with Pod Identity. The heads of the journals are in another account.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

provider "aws" {
  alias  = "heads"
  region = "eu-central-1"

  # For an account of its own, name a role there that may make a bucket:
  # assume_role { role_arn = "arn:aws:iam::444455556666:role/terraform" }
}

module "houndtrail" {
  source = "../"

  providers = {
    aws       = aws
    aws.heads = aws.heads
  }

  bucket      = "example-bucket"
  tenants     = ["acme", "emea"]
  first_day   = "2026-01-01"
  object_lock = { mode = "GOVERNANCE", days = 365 }
  eks         = { cluster_name = "example-cluster" }
}

output "helm_values" {
  description = "For helm install -f"
  value       = module.houndtrail.helm_values
}
