terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7.0"

      # aws.heads makes the bucket that remembers the heads of the journals. It is best an account of its own. Then a thief of one
      # account cannot change both the journal and its remembered heads.
      configuration_aliases = [aws.heads]
    }
  }
}
