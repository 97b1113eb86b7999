variable "name" {
  type = string
}

resource "terraform_data" "queue" {
  input = var.name
}

resource "terraform_data" "dead_letters" {
  input = "${var.name}-dead-letters"
}
