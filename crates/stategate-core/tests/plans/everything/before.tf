# What exists before: applied first, so that the plan has something to change.

terraform {
  required_version = ">= 1.11"
}

variable "database_password" {
  type      = string
  sensitive = true
}

variable "certificate" {
  type      = string
  sensitive = true
}

locals {
  policy = {
    Version = "2012-10-17"
    Statement = [
      { Sid = "Read", Effect = "Allow", Action = ["s3:GetObject"], Resource = "arn:aws:s3:::acme-logs/*" },
      { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket"], Resource = "arn:aws:s3:::acme-logs" },
    ]
  }
}

# Changed in place: a JSON document, a text of many lines, a list, a map.
resource "terraform_data" "policy" {
  input = jsonencode(local.policy)
}

resource "terraform_data" "boot" {
  input = {
    size = 20
    tags = { team = "infra", env = "prod" }
    zones = ["a", "b", "c"]
    script = <<-EOT
      #!/bin/sh
      set -eu
      echo one
      echo two
      echo three
      systemctl restart app
    EOT
  }
}

# Replaced: by an attribute that cannot be updated, by taint.
resource "terraform_data" "database" {
  input            = { engine = "postgres", version = "13.7" }
  triggers_replace = ["13.7"]
}

resource "terraform_data" "tainted" {
  input = "tainted by hand"
}

resource "terraform_data" "new_one_first" {
  input            = "blue"
  triggers_replace = "blue"
  lifecycle {
    create_before_destroy = true
  }
}

# Destroyed: no longer in the configuration, beyond the count, no longer in for_each, module gone.
resource "terraform_data" "retired" {
  input = { bucket = "acme-logs", versioned = true }
}

resource "terraform_data" "worker" {
  count = 3
  input = "worker-${count.index}"
}

resource "terraform_data" "tenant" {
  for_each = toset(["acme", "globex", "a|b `c` <d> @octocat"])
  input    = each.key
}

module "queue" {
  source = "./modules/queue"
  name   = "jobs"
}

# Forgotten, moved, left alone.
resource "terraform_data" "handed_over" {
  input = "managed elsewhere from now on"
}

resource "terraform_data" "old_name" {
  input = "only its address changes"
}

resource "terraform_data" "still" {
  input = "nothing happens here"
}

# Sensitive: its copy in `output` loses the mark.
resource "terraform_data" "password" {
  input = var.database_password
}

resource "terraform_data" "certificate" {
  input = var.certificate
}

output "endpoint" {
  value = "db-1.internal:5432"
}

output "password" {
  value     = var.database_password
  sensitive = true
}
