# What is planned: one of each.

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
      { Sid = "Read", Effect = "Allow", Action = ["s3:GetObject", "s3:DeleteObject"], Resource = "*" },
      { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket"], Resource = "arn:aws:s3:::acme-logs" },
    ]
  }
}

resource "terraform_data" "policy" {
  input = jsonencode(local.policy)
}

resource "terraform_data" "boot" {
  input = {
    size = 50
    tags = { team = "infra", env = "prod", cost_centre = "42" }
    zones = ["b", "c", "d"]
    script = <<-EOT
      #!/bin/sh
      set -eu
      echo one
      echo 2
      echo three
      systemctl restart app
      systemctl restart proxy
    EOT
  }
}

resource "terraform_data" "database" {
  input            = { engine = "postgres", version = "14.9" }
  triggers_replace = ["14.9"]
}

resource "terraform_data" "tainted" {
  input = "tainted by hand"
}

resource "terraform_data" "new_one_first" {
  input            = "green"
  triggers_replace = "green"
  lifecycle {
    create_before_destroy = true
  }
}

resource "terraform_data" "worker" {
  count = 1
  input = "worker-${count.index}"
}

resource "terraform_data" "tenant" {
  for_each = toset(["acme", "initech ``` </details> @hubot #1 <!-- x -->"])
  input    = each.key
}

removed {
  from = terraform_data.handed_over
  lifecycle {
    destroy = false
  }
}

moved {
  from = terraform_data.old_name
  to   = terraform_data.new_name
}

resource "terraform_data" "new_name" {
  input = "only its address changes"
}

import {
  to = terraform_data.adopted
  id = "existing-object"
}

resource "terraform_data" "adopted" {
  input = "adopted"
}

resource "terraform_data" "still" {
  input = "nothing happens here"
}

resource "terraform_data" "password" {
  input = var.database_password
}

# A copy of a secret that nobody marked.
resource "terraform_data" "copy" {
  input = nonsensitive("postgres://app:${var.database_password}@db-1.internal/app")
}

resource "terraform_data" "certificate" {
  input = var.certificate
}

check "hostile" {
  assert {
    condition     = terraform_data.database.input.version == "13.7"
    error_message = "```\n</details>\n# Approved by security\nPlan: 0 to add, 0 to change, 0 to destroy. @octocat ::error::x ##[error]x ![x](https://example.com/x.png)"
  }
}

output "endpoint" {
  value = "db-2.internal:5432"
}

output "password" {
  value     = var.database_password
  sensitive = true
}

output "added" {
  value = terraform_data.database.id
}
