locals {
  account_name = try(var.eks.service_account, null)

  # The roles, and the files of ../aws whose rights each of them has.
  role_policies = merge(
    var.compact ? {} : { writer = ["writer", "anchor"] },
    {
      compactor = ["compactor", "anchor"]
      watch     = ["watch"]
      reader    = ["reader", "athena"]
      auditor   = ["auditor", "anchor-reader"]
      forget    = ["forget", "anchor"]
    },
  )
  role_arns = { for role in keys(local.role_policies) : role => "arn:${local.partition}:iam::${local.account}:role/${var.name}-${role}" }

  # The service account of each role for pods.
  pods = var.eks == null ? {} : merge(
    var.compact ? { compactor = local.account_name } : { writer = local.account_name, compactor = "${local.account_name}-compact" },
    { watch = "${local.account_name}-watch" },
  )
  cluster  = try(var.eks.cluster_name, null)
  provider = try(var.eks.oidc_provider_arn, null)
  issuer   = local.provider == null ? "" : split(":oidc-provider/", local.provider)[1]

  people = length(var.people) > 0 ? sort(tolist(var.people)) : ["arn:${local.partition}:iam::${local.account}:root"]

  # Each kind of trust has the roles that use it, and a role has one statement of each.
  by_people = setsubtract(keys(local.role_policies), keys(local.pods))
  by_agent  = local.cluster == null ? [] : keys(local.pods)
  by_token  = local.provider == null ? [] : keys(local.pods)
  trust = {
    for role in keys(local.role_policies) : role => concat(
      [for r in local.by_people : {
        Effect    = "Allow"
        Action    = ["sts:AssumeRole"]
        Principal = { AWS = local.people }
      } if r == role],
      [for r in local.by_agent : {
        Effect    = "Allow"
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Principal = { Service = "pods.eks.amazonaws.com" }
        Condition = { StringEquals = {
          "aws:RequestTag/kubernetes-namespace"       = var.eks.namespace
          "aws:RequestTag/kubernetes-service-account" = local.pods[role]
        } }
      } if r == role],
      [for r in local.by_token : {
        Effect    = "Allow"
        Action    = ["sts:AssumeRoleWithWebIdentity"]
        Principal = { Federated = local.provider }
        Condition = { StringEquals = {
          "${local.issuer}:aud" = var.eks.audience
          "${local.issuer}:sub" = "system:serviceaccount:${var.eks.namespace}:${local.pods[role]}"
        } }
      } if r == role],
    )
  }

  attached = merge([
    for role, policies in local.role_policies : { for policy in policies : "${role}/${policy}" => { role = role, policy = policy } }
  ]...)
}

resource "aws_iam_role" "all" {
  for_each = local.role_policies

  name                 = "${var.name}-${each.key}"
  description          = "Houndtrail: ${each.key}, for the archive in ${var.bucket}"
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = local.trust[each.key] })
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "all" {
  for_each = local.attached

  name   = each.value.policy
  role   = aws_iam_role.all[each.value.role].name
  policy = jsonencode(local.policies[each.value.policy])
}

# By the account, and not by the role: a change of compact then changes the role of an association. AWS allows one for each account.
resource "aws_eks_pod_identity_association" "all" {
  for_each = local.cluster == null ? {} : { for role, account in local.pods : account => role }

  cluster_name    = local.cluster
  namespace       = var.eks.namespace
  service_account = each.key
  role_arn        = aws_iam_role.all[each.value].arn
}
