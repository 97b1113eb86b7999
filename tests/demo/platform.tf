variable "database_password" {
  type      = string
  sensitive = true
  default   = "correct-horse-battery"
}

resource "terraform_data" "deploy_policy" {
  input = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = "arn:aws:s3:::acme-artifacts/*"
    }]
  })
}

resource "terraform_data" "database" {
  input = {
    engine   = "postgres"
    version  = "16.3"
    password = var.database_password
  }
}
