variable "bucket" {
  description = "Name of the bucket for archive and journal. The buckets for heads and for query results have this name with -heads and -results behind it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,53}[a-z0-9]$", var.bucket))
    error_message = "The bucket's name must have 3 to 55 lower-case letters, digits and hyphens: S3 allows 63, and the longest suffix has 8."
  }
}

variable "tenants" {
  description = "The tenants: the values of HOUNDTRAIL_TENANT. No query finds a tenant that is missing here."
  type        = set(string)

  validation {
    condition     = length(var.tenants) > 0 && alltrue([for t in var.tenants : can(regex("^[A-Za-z0-9._-]+$", t))])
    error_message = "Name at least one tenant. A tenant has letters, digits, dots, underscores and hyphens only."
  }
}

variable "first_day" {
  description = "The first day with records, such as 2026-01-01. No query finds an earlier record. For each query that names no day, Athena asks S3 for each day from here on."
  type        = string

  validation {
    condition     = can(regex("^\\d{4}-\\d\\d-\\d\\d$", var.first_day)) && can(timeadd("${var.first_day}T00:00:00Z", "0s"))
    error_message = "The first day must be a day such as 2026-01-01."
  }
}

variable "prefix" {
  description = "The prefix of archive, journal and heads in their buckets."
  type        = string
  default     = "houndtrail"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.prefix))
    error_message = "The prefix must be a path without a slash at its beginning or end, such as houndtrail."
  }
}

variable "name" {
  description = "The beginning of the roles' names, and the name of workgroup and database. In the database's name, each hyphen becomes an underscore."
  type        = string
  default     = "houndtrail"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "The name must begin with a letter, and may have 31 lower-case letters, digits and hyphens."
  }
}

variable "object_lock" {
  description = "The default retention of each new object, for archive, journal and heads. COMPLIANCE binds even the account's owner: it cannot be undone. Without it, versioning alone keeps the objects."
  type = object({
    mode = string
    days = number
  })
  default = null

  validation {
    condition     = var.object_lock == null || (try(contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode), false) && try(var.object_lock.days >= 1, false))
    error_message = "The mode must be GOVERNANCE or COMPLIANCE, and the days at least 1."
  }
}

variable "old_versions_days" {
  description = "After so many days, S3 removes the versions of archive files that compact or forget has replaced or hidden. null keeps them. With a number, an overwritten file is lost after this time, too."
  type        = number
  default     = null
}

variable "results_days" {
  description = "After so many days, S3 removes the results of queries."
  type        = number
  default     = 30
}

variable "kms_key_arn" {
  description = "The ARN of a KMS key of your own, whose policy lets the account's roles use it. null makes a key."
  type        = string
  default     = null
}

variable "eks" {
  description = "The pods that get a role. cluster_name associates the roles by EKS Pod Identity. oidc_provider_arn trusts the cluster's tokens (IRSA). null: people of the account may take all roles."
  type = object({
    cluster_name      = optional(string)
    oidc_provider_arn = optional(string)
    audience          = optional(string, "sts.amazonaws.com")
    namespace         = optional(string, "houndtrail")
    service_account   = optional(string, "houndtrail")
  })
  default = null

  validation {
    condition     = var.eks == null || try(var.eks.cluster_name, null) != null || try(var.eks.oidc_provider_arn, null) != null
    error_message = "Name the cluster for EKS Pod Identity, or its OIDC provider for IRSA."
  }
}

variable "compact" {
  description = "true if the daemon compacts (HOUNDTRAIL_COMPACT_SCHEDULE). Its role may then delete compacted files. Otherwise only the service account with -compact behind its name may."
  type        = bool
  default     = false
}

variable "people" {
  description = "The ARNs of the principals that may take the roles reader, auditor and forget. Without any, the account's own policies decide."
  type        = set(string)
  default     = []
}

variable "permissions_boundary" {
  description = "The ARN of the permissions boundary of all roles."
  type        = string
  default     = null
}

variable "time_zone" {
  description = "The time zone of the saved question out-of-hours, such as Europe/Berlin."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^[A-Za-z0-9_+/-]+$", var.time_zone))
    error_message = "The time zone must have a name such as Europe/Berlin."
  }
}
